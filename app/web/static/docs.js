"use strict";
// Swagger UI is many times the rest of this page: it is loaded when an operation is opened.

const page = document.body.dataset;
const state = document.getElementById("state");
let opening = null;

// Swagger UI has a dark look of its own, which it takes from this class.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const darken = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", darken);
darken();

function loaded(tag, attributes) {
  return new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement(tag), attributes);
    element.onload = resolve;
    element.onerror = () => reject(new Error("a file of this page could not be loaded"));
    document.head.append(element);
  });
}

async function description() {
  const answer = await fetch(page.description);
  if (!answer.ok) throw new Error(`${page.description} answered ${answer.status}`);
  const found = await answer.json();
  // What is tried out here is asked of the host that this page came from: its policy allows no other.
  found.servers = [{ url: page.base }];
  // Swagger UI cannot fill in a scheme of its own kind, only a header.
  const described = found.components.securitySchemes.accessKey;
  found.components.securitySchemes.accessKey = {
    type: "apiKey", in: "header", name: "Authorization",
    description: `${described.description} Here the token alone is enough: bp_…`,
  };
  return found;
}

function withScheme(request) {
  const given = request.headers.Authorization?.trim();
  if (given && !given.includes(" ")) request.headers.Authorization = `AccessKey ${given}`;
  return request;
}

// What the page shows already is left out, and the link inside each button, which not all can reach.
const ours = () => ({
  wrapComponents: {
    DeepLink: (_, system) => ({ text }) => system.React.createElement("span", null, text),
    InfoContainer: () => () => null,
    ServersContainer: () => () => null,
  },
});

// What Swagger UI draws without a name or out of the keyboard's reach.
const NAMES = {
  "textarea.body-param__text": { "aria-label": "Request body" },
  "select.examples-select-element": { "aria-label": "Example" },
  "button.close-modal": { "aria-label": "Close" },
  "pre.microlight": { tabindex: "0" },
  ".modal-ux": { role: "dialog", "aria-label": "Authorize" },
};

function nameAll(within) {
  for (const [selector, attributes] of Object.entries(NAMES)) {
    for (const element of within.querySelectorAll(selector)) {
      for (const [name, text] of Object.entries(attributes)) element.setAttribute(name, text);
    }
  }
  for (const field of within.querySelectorAll("[data-param-name] :is(select, input)")) {
    field.setAttribute("aria-label", field.closest("[data-param-name]").dataset.paramName);
  }
}

async function open() {
  state.textContent = "Loading the reference…";
  const [spec] = await Promise.all([
    description(),
    loaded("link", { rel: "stylesheet", href: page.style }),
    loaded("script", { src: page.script }),
  ]);
  const reference = document.getElementById("reference");
  document.getElementById("index").hidden = true;
  document.getElementById("operations-title").hidden = false;
  reference.hidden = false;
  new MutationObserver(() => nameAll(reference)).observe(reference, { childList: true, subtree: true });
  SwaggerUIBundle({
    spec, domNode: reference, deepLinking: true, requestInterceptor: withScheme,
    plugins: [ours], validatorUrl: null, displayRequestDuration: true,
  });
  state.textContent = "";
}

function openOnce() {
  if (!location.hash.startsWith("#/")) return;
  opening ??= open().catch((problem) => {
    opening = null;
    state.textContent = `The reference cannot be shown: ${problem.message}.`;
  });
}

window.addEventListener("hashchange", openOnce);
openOnce();
