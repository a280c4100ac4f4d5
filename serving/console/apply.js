// A new application: what is asked for, a quote of it, and the decision that is recorded.

import { again, ask, pending, record } from "./api.js";
import { assessment } from "./assessment.js";
import { choice, field, h, show } from "./dom.js";
import { refusal } from "./refusal.js";
import { t } from "./texts.js";

export function applyView(schemas, given) {
  const answer = h("div", { class: "answer", "aria-live": "polite" }, h("p", { class: "quiet" }, t("nothing_yet")));
  const form = request(schemas.DecisionRequest.properties, given);

  const quote = () => asked(async () => {
    const { application_id: _, ...terms } = read(form);
    const found = await ask("/v1/quotes", terms);
    return [h("p", { class: "notice" }, t("quoted")),
      ...assessment(found, { onWay: taken, appliedAt: terms.applied_at })];
  });
  const decide = () => recorded(() => record("/v1/decisions", read(form)));
  const resend = () => recorded(again);

  function taken(way) {
    for (const name of ["amount", "term_months", "repayment"]) form.elements[name].value = way[name];
    form.elements.guaranteed.checked = way.guaranteed;
    quote();
  }

  function recorded(send) {
    return asked(async () => {
      const decision = await send();
      location.hash = `#/decisions/${decision.decision_id}`;
      return [];
    });
  }

  async function asked(work) {
    show(answer, h("p", { class: "quiet" }, t("wait")));
    for (const button of form.querySelectorAll("button")) button.disabled = true;
    try {
      show(answer, await work());
    } catch (error) {
      show(answer, refusal(error, { retry: resend, done: () => show(answer) }));
    } finally {
      for (const button of form.querySelectorAll("button")) button.disabled = false;
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.submitter?.value === "decide") decide();
    else quote();
  });
  if (pending()?.path === "/v1/decisions") resend();
  return h("div", { class: "split" }, form, answer);
}

function request(properties, given) {
  const options = (name) => properties[name].enum.map((value) => [value, t(value)]);
  const [least, most] = [properties.amount.minimum, properties.amount.maximum];
  return h("form", { class: "panel", autocomplete: "off" },
    h("h1", {}, t("apply")),
    field(t("business_id"), h("input", {
      name: "business_id", required: true, pattern: properties.business_id.pattern, maxlength: 18,
      value: given.business_id, class: "code", spellcheck: "false",
    })),
    field(t("amount"), h("input", {
      name: "amount", type: "number", required: true, min: least, max: most, step: 1, value: given.amount,
    })),
    field(t("term_months"), h("input", {
      name: "term_months", type: "number", required: true, min: properties.term_months.minimum,
      max: properties.term_months.maximum, value: given.term_months ?? 12,
    })),
    field(t("purpose"), choice("purpose", options("purpose"), { chosen: given.purpose ?? "stock" })),
    field(t("repayment"), choice("repayment", options("repayment"), { chosen: given.repayment ?? "bullet" })),
    h("label", { class: "check" }, h("input", { name: "guaranteed", type: "checkbox", checked: given.guaranteed }),
      h("span", {}, t("guaranteed"))),
    field(t("applied_at"), h("input", { name: "applied_at", type: "datetime-local", value: beijing(given.applied_at) }), t("applied_at_hint")),
    field(t("application_id"), h("input", {
      name: "application_id", required: true, pattern: properties.application_id.pattern, maxlength: 64,
      value: given.application_id ?? suggested(), class: "code",
    })),
    h("p", { class: "buttons" },
      h("button", { value: "quote", class: "plain" }, t("quote")),
      h("button", { value: "decide" }, t("decide"))),
    h("small", {}, t("quote_hint")));
}

// A moment as the field holds it.
function beijing(moment) {
  return moment && new Date(Date.parse(moment) + 8 * 3_600_000).toISOString().slice(0, 16);
}

// A name of the application that nobody else has: today and some letters.
function suggested() {
  return `${new Date().toISOString().slice(0, 10)}-${crypto.randomUUID().slice(0, 8)}`;
}

function read(form) {
  const value = (name) => form.elements[name].value.trim();
  const at = value("applied_at");
  return {
    application_id: value("application_id"),
    business_id: value("business_id").toUpperCase(),
    amount: Number(value("amount")),
    term_months: Number(value("term_months")),
    purpose: value("purpose"),
    repayment: value("repayment"),
    guaranteed: form.elements.guaranteed.checked,
    ...(at ? { applied_at: `${at}:00+08:00` } : {}),
  };
}
