// The console: signs in with an API key, and shows the view that the address names.

import { get, key, Refused } from "./api.js";
import { applyView } from "./apply.js";
import { businessView } from "./business.js";
import { decisionView } from "./decision.js";
import { h, show } from "./dom.js";
import { refusal } from "./refusal.js";
import { searchView } from "./search.js";
import { change, language, t } from "./texts.js";

const bar = document.getElementById("bar");
const view = document.getElementById("view");
let serving = null; // model and policy that decide now, once the key is known to be good
let schemas = null; // of the API's document: what may be asked, said once

const VIEWS = {
  apply: (_id, given) => applyView(schemas, given),
  decisions: (id, wanted) => (id ? decisionView(schemas, id) : searchView(schemas, id, wanted)),
  businesses: (id) => businessView(schemas, id),
};

async function draw() {
  document.documentElement.lang = language();
  document.title = t("title");
  if (!key.get()) return signIn();
  const [, name = "apply", id, query] = /^#\/([a-z]*)\/?([^?]*)\??(.*)$/.exec(location.hash) ?? [];
  const chosen = VIEWS[name] ? name : "apply";
  try {
    serving ??= await get("/v1/model");
    schemas ??= (await get("/openapi.json")).components.schemas;
    head(chosen);
    show(view, await VIEWS[chosen](decodeURIComponent(id ?? ""), Object.fromEntries(new URLSearchParams(query))));
    view.focus({ preventScroll: true });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.problem?.status === 401) return signIn(t("wrong_key"));
    head(chosen);
    show(view, refusal(error));
  }
}

function head(chosen) {
  const link = (name, text) => h("a", { href: `#/${name}`, "aria-current": name === chosen ? "page" : null }, text);
  show(bar,
    h("b", { class: "brand" }, t("title")),
    key.get() ? h("nav", {}, link("apply", t("apply")), link("decisions", t("decisions")), link("businesses", t("business"))) : null,
    h("span", { class: "room" }),
    serving ? h("small", {}, `${t("model")} ${serving.model.version} · ${t("policy")} ${serving.policy.version}`) : null,
    serving?.model.override ? h("span", { class: "chip refer" }, t("overridden_gate")) : null,
    h("button", { type: "button", class: "plain", onclick: () => { change(); draw(); } }, t("language")),
    key.get() ? h("button", { type: "button", class: "plain", onclick: leave }, t("sign_out")) : null);
}

function leave() {
  key.forget();
  serving = null;
  draw();
}

function signIn(why) {
  key.forget();
  head(null);
  show(view, h("form", { class: "panel door", onsubmit: (event) => {
    event.preventDefault();
    key.set(event.target.elements.key.value.trim());
    draw();
  } },
    h("h1", {}, t("sign_in")),
    why ? h("p", { class: "refusal", role: "alert" }, why) : null,
    h("label", {}, h("span", {}, t("key")),
      h("input", { name: "key", type: "password", required: true, autocomplete: "off" }),
      h("small", {}, t("key_hint"))),
    h("button", {}, t("sign_in"))));
  view.querySelector("input").focus();
}

addEventListener("hashchange", draw);
draw();
