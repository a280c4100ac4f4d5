// Why something was not done, and what to do next.

import { abandon, pending, Refused } from "./api.js";
import { h } from "./dom.js";
import { t } from "./texts.js";

// `retry` sends what is pending once more; `done` is called when it was given up.
export function refusal(error, { retry, done } = {}) {
  if (!(error instanceof Refused)) throw error;
  const problem = error.problem;
  return h("section", { class: "refusal", role: "alert" },
    h("h2", {}, problem ? problem.title : t("refused_title")),
    h("p", {}, problem ? problem.detail : t(pending() ? "no_answer" : "no_service")),
    problem?.errors.length
      ? h("ul", {}, problem.errors.map((each) => h("li", {}, h("code", {}, each.pointer), ` ${t(each.code.replaceAll("-", "_"))}`)))
      : null,
    problem?.decision_id ? h("p", {}, h("a", { href: `#/decisions/${problem.decision_id}` }, t("see_decision"))) : null,
    pending() && retry ? h("p", { class: "buttons" },
      h("button", { type: "button", onclick: retry }, t("send_again")),
      h("button", { type: "button", class: "plain", onclick: () => { abandon(); done?.(); } }, t("give_up"))) : null,
    problem ? h("small", {}, `${problem.code} · ${problem.request_id}`) : null);
}
