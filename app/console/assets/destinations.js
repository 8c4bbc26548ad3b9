// Manage Destinations: pending changes, the searchable select, the map.
// Without this file the server does the same at each button.
"use strict";

(() => {
  const form = document.getElementById("pending-changes");
  const map = document.getElementById("map");
  const words = (text) => new Set((text ?? "").split(" ").filter(Boolean));
  const names = map && new Intl.DisplayNames([document.documentElement.lang], { type: "region", fallback: "code" });
  const state = map && {
    allowed: words(map.dataset.allowed),
    until: words(map.dataset.until),
    denied: words(map.dataset.denied),
    closed: words(map.dataset.closed),
    risky: words(map.dataset.risky),
  };

  // Time left of temporary access.
  function countDown() {
    for (const one of document.querySelectorAll("[data-ends]")) {
      const seconds = Math.floor((new Date(one.dataset.ends) - Date.now()) / 1000);
      one.textContent = seconds > 0 ? left(seconds) : "expired";
    }
  }
  function left(seconds) {
    const two = (number) => String(number).padStart(2, "0");
    const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
    if (days > 30) return "";
    if (days) return `${days} d ${hours} h left`;
    return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(seconds % 60)} left`;
  }
  countDown();
  setInterval(countDown, 1000);
  if (!map) return;

  // Pending changes are hidden fields of the form. The server makes each step, one after another,
  // and renders the list with its preview; Save applies only what was shown.
  const wishes = () => [...document.querySelectorAll("#wished [data-code]")].map((one) => one.dataset.code);
  const chipOf = (code) => document.querySelector(`#allowed li[data-code="${code}"]`);
  let steps = Promise.resolve();
  function step(value, code = "") {
    steps = steps.then(() => send(value, code));
  }
  async function send(value, code) {
    const status = document.getElementById("status");
    const before = wishes();
    try {
      const body = new URLSearchParams(new FormData(form));
      body.set("step", value);
      body.set("country", code);
      const answer = await fetch(form.dataset.preview, { method: "POST", body, headers: { "HX-Request": "true" } });
      if (answer.headers.has("HX-Redirect")) return location.assign(answer.headers.get("HX-Redirect"));
      if (!answer.ok) throw new Error(String(answer.status));
      const text = await answer.text();
      const focused = document.activeElement?.closest("#allowed li");
      const following = focused?.nextElementSibling?.dataset.code;
      document.getElementById("pending").outerHTML = text;
      const button = (one) => one && chipOf(one)?.querySelector("button");
      if (focused) (button(focused.dataset.code) ?? button(following) ?? document.getElementById("country")).focus();
      const { problem } = document.getElementById("pending").dataset;
      complain(problem);
      if (!problem) document.getElementById("hours").value = "";
      for (const one of new Set([...before, ...wishes()])) draw(one);
      const changes = document.getElementById("changes");
      changes.dispatchEvent(new CustomEvent("htmx:afterSwap", { bubbles: true })); // times are localised then
      status.textContent = changes.querySelector("h2").textContent;
      countDown();
    } catch {
      complain("The change could not be made. Reload the page and try again.");
    }
  }

  // Leaving with unsaved changes asks first, in the page; only a closing tab makes the browser ask.
  let leaves = false;
  addEventListener("beforeunload", (event) => {
    if (form && wishes().length && !leaves) event.preventDefault();
  });
  form?.addEventListener("submit", () => { leaves = true; });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (link && "discards" in link.dataset) leaves = true;
    if (!form || !wishes().length || !link || link.target || leaves) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey || link.getAttribute("href").startsWith("#")) return;
    const asking = document.querySelector(".leaving");
    if (!asking) return;
    event.preventDefault();
    asking.querySelector("a").href = link.href;
    asking.hidden = false;
    document.getElementById("menu").hidePopover(); // on a phone, it covers the question
    asking.querySelector("a").focus();
  });

  // The select can be searched by name, code and calling code.
  function complain(text) {
    const search = document.getElementById("country");
    let problem = document.getElementById("country-problem");
    if (!problem && text) {
      problem = document.createElement("small");
      problem.id = "country-problem";
      problem.className = "problem";
      problem.setAttribute("role", "alert");
      search.closest(".field").insertBefore(problem, document.getElementById("country-hint"));
    }
    if (problem) problem.textContent = text;
    search.toggleAttribute("aria-invalid", Boolean(text));
    if (text) search.setAttribute("aria-invalid", "true");
    search.setAttribute("aria-describedby", text ? "country-problem country-hint" : "country-hint");
  }
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  function searchable(select) {
    const options = [...select.options].filter((one) => one.value).map((one) => ({ code: one.value, label: one.text, text: plain(one.text) }));
    const box = document.createElement("div");
    box.className = "combobox";
    box.innerHTML = '<input type="text" id="country" role="combobox" autocomplete="off" spellcheck="false" aria-autocomplete="list" aria-expanded="false" aria-controls="countries" aria-describedby="country-hint"><ul id="countries" role="listbox" aria-label="Countries" hidden></ul>';
    select.replaceWith(box);
    const [input, choices] = box.children;
    input.placeholder = "Select a country";
    if (select.value) input.value = select.selectedOptions[0].text;
    let found = [];
    let at = -1;

    function open() {
      const asked = plain(input.value).split(/\s+/).filter(Boolean);
      found = options.filter((one) => asked.every((word) => one.text.includes(word)));
      const exact = found.findIndex((one) => one.code.toLowerCase() === asked[0]);
      choices.replaceChildren(...found.map(drawChoice));
      if (!found.length) choices.innerHTML = '<li class="nothing" role="option" aria-disabled="true" aria-selected="false">No matching country.</li>';
      choices.hidden = false;
      input.setAttribute("aria-expanded", "true");
      point(asked.length && found.length ? Math.max(exact, 0) : -1);
    }
    function drawChoice(one, place) {
      const line = document.createElement("li");
      line.id = `country-${one.code}`;
      line.dataset.place = place;
      line.setAttribute("role", "option");
      line.setAttribute("aria-selected", "false");
      line.append(one.label);
      if (state.allowed.has(one.code)) line.append(Object.assign(document.createElement("small"), { textContent: state.until.has(one.code) ? "allowed temporarily" : "allowed" }));
      return line;
    }
    function point(place) {
      choices.children[at]?.setAttribute("aria-selected", "false");
      at = place;
      const line = found[at] && choices.children[at];
      line?.setAttribute("aria-selected", "true");
      line?.scrollIntoView({ block: "nearest" });
      if (line) input.setAttribute("aria-activedescendant", line.id);
      else input.removeAttribute("aria-activedescendant");
    }
    function close() {
      choices.hidden = true;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    }
    function choose(place) {
      if (!found[place]) return;
      input.value = "";
      close();
      step("add", found[place].code);
    }
    const keys = {
      ArrowDown: () => (choices.hidden ? open() : point(Math.min(at + 1, found.length - 1))),
      ArrowUp: () => point(Math.max(at - 1, 0)),
      Escape: close,
      Enter: () => (choices.hidden ? open() : choose(at)),
    };
    input.addEventListener("keydown", (event) => {
      if (event.key in keys) {
        event.preventDefault();
        keys[event.key]();
      }
    });
    input.addEventListener("input", open);
    input.addEventListener("click", () => choices.hidden && open());
    input.addEventListener("blur", close);
    choices.addEventListener("mousedown", (event) => event.preventDefault());
    choices.addEventListener("click", (event) => choose(Number(event.target.closest("li").dataset.place ?? -1)));
  }

  // The map
  const shapes = "http://www.w3.org/2000/svg";
  let svg = null;
  let over = null;
  async function drawMap() {
    const answer = await fetch(map.dataset.src);
    if (!answer.ok) return;
    const text = await answer.text();
    svg = document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", "World map of the destinations; the list above shows the same");
    over = document.createElementNS(shapes, "g");
    over.setAttribute("class", "over");
    svg.append(over);
    map.append(svg);
    map.closest("section").hidden = false;
    for (const shape of svg.querySelectorAll(":scope > [id]")) draw(shape.id);
    if (form) {
      map.classList.add("clickable");
      svg.addEventListener("click", (event) => {
        const shape = event.target.closest("svg > [id]");
        if (shape) step(`toggle:${shape.id}`);
      });
    }
  }
  function draw(code) {
    const shape = svg?.querySelector(`:scope > [id="${code}"]`);
    if (!shape) return;
    const parts = [accessOf(code)];
    shape.setAttribute("class", parts[0]);
    for (const old of over.querySelectorAll(`[data-code="${code}"]`)) old.remove();
    if (state.closed.has(code)) parts.push(lay(shape, code, "closed"));
    if (state.risky.has(code)) parts.push(lay(shape, code, "risky"));
    if (wishes().includes(code)) {
      lay(shape, code, "wished");
      parts.push(chipOf(code).querySelector(".note").textContent);
    }
    const labels = { until: "allowed temporarily", inherited: "allowed, inherited", denied: "blocked by organization", closed: "blocked at Twilio", risky: "high-risk" };
    const title = shape.querySelector("title") ?? shape.appendChild(document.createElementNS(shapes, "title"));
    title.textContent = `${names.of(code)} (${code}): ${parts.map((one) => labels[one] ?? one).join(", ")}`;
  }
  function accessOf(code) {
    if (state.denied.has(code)) return "denied";
    if (!state.allowed.has(code)) return "blocked";
    return map.dataset.kind === "inherited" ? "inherited" : state.until.has(code) ? "until" : "allowed";
  }
  function lay(shape, code, kind) {
    const copy = (shape.matches("g") ? shape.querySelector("path") : shape).cloneNode(false);
    copy.removeAttribute("id");
    copy.setAttribute("class", kind);
    copy.dataset.code = code;
    over.append(copy);
    return kind;
  }

  if (form) {
    searchable(document.getElementById("country"));
    form.addEventListener("click", (event) => {
      const button = event.target.closest("#allowed button");
      if (!button) return;
      event.preventDefault();
      step(button.value);
    });
  }
  drawMap();
})();
