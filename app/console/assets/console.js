// What pages do more comfortably with scripts; each works without.
"use strict";

// Times in the viewer's zone and locale, with the zone; UTC stays as the title.
const minutes = { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short" };
const toMinutes = new Intl.DateTimeFormat(undefined, minutes);
const toSeconds = new Intl.DateTimeFormat(undefined, { ...minutes, second: "2-digit" });
const zone = toMinutes.resolvedOptions().timeZone;

function localiseTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) {
      time.title = time.textContent;
      time.textContent = ("seconds" in time.dataset ? toSeconds : toMinutes).format(at);
      time.dataset.local = "";
    }
  }
}

// Dates are entered in the zone that the form names. One that has dates in UTC already keeps UTC.
function localiseForms(root) {
  for (const field of root.querySelectorAll("input[data-zone]")) {
    const dates = [...field.form.elements].filter((one) => one.type === "date" || one.type === "datetime-local");
    if (!field.value && dates.every((one) => !one.value)) field.value = zone;
    for (const name of field.form.querySelectorAll("[data-zone-name]")) name.textContent = field.value || "UTC";
  }
}

function prepare(root) {
  localiseTimes(root);
  localiseForms(root);
  for (const choice of root.querySelectorAll("select[data-submits]")) {
    choice.addEventListener("change", () => choice.form.requestSubmit());
  }
  for (const button of root.querySelectorAll("button[data-copies]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent.trim());
      button.textContent = "Copied";
    });
  }
}

document.documentElement.classList.add("has-scripts");
prepare(document);
document.body.addEventListener("htmx:afterSwap", (event) => prepare(event.target.parentElement ?? document));

// The key / goes to the finder.
document.addEventListener("keydown", (event) => {
  const find = document.getElementById("find");
  if (event.key !== "/" || !find || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable], [role=textbox]")) return;
  event.preventDefault();
  const menu = document.getElementById("menu");
  if (!find.offsetParent) menu.showPopover();
  find.focus();
});

// A search leaves empty fields out of its address, and the zone where no date needs it.
document.addEventListener("formdata", (event) => {
  if (event.target.method !== "get") return;
  const dates = [...event.target.elements].some((one) => one.type.startsWith("date") && one.value);
  for (const [name, value] of [...event.formData]) if (!value || (name === "zone" && !dates)) event.formData.delete(name);
});
