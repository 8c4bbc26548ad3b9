// What pages do more comfortably with scripts; each works without.
"use strict";

// Times in the viewer's zone; the title keeps UTC.
const written = new Intl.DateTimeFormat(document.documentElement.lang, {
  dateStyle: "medium",
  timeStyle: "medium",
});

function localiseTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) {
      time.textContent = written.format(at);
      time.dataset.local = "";
    }
  }
}

function prepare(root) {
  localiseTimes(root);
  for (const choice of root.querySelectorAll("select[data-submits]")) {
    choice.addEventListener("change", () => choice.form.requestSubmit());
  }
  for (const form of root.querySelectorAll("form[data-asks]")) {
    form.addEventListener("submit", (event) => {
      if (!window.confirm(form.dataset.asks)) {
        event.preventDefault();
      }
    });
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

// On a narrow window the menu starts closed.
const menu = document.querySelector("details.menu");
if (menu && window.matchMedia("(max-width: 60rem)").matches) {
  menu.open = false;
}
