// The service, asked as any other caller asks it. The key stays in this tab and ends with it.

const KEY = "microloan.key";
const PENDING = "microloan.pending";
const ATTEMPTS = 4;

export class Refused extends Error {
  // A problem document (RFC 9457), or null where no answer came at all.
  constructor(problem) {
    super(problem ? problem.detail || problem.title : "no answer");
    this.problem = problem;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
};

export async function get(path) {
  return answered(path, {});
}

// Asks what would be; nothing is recorded, so it may be asked again at will.
export async function ask(path, body) {
  return answered(path, { method: "POST", body: JSON.stringify(body) });
}

// Records something, once: its idempotency key is kept here before it leaves, and while nobody
// knows whether it arrived the same request goes again under the same key.
export async function record(path, body) {
  const request = { path, body, key: crypto.randomUUID() };
  sessionStorage.setItem(PENDING, JSON.stringify(request));
  return sent(request);
}

// What was sent and never answered, if anything; `again` sends it once more.
export function pending() {
  const kept = sessionStorage.getItem(PENDING);
  return kept && JSON.parse(kept);
}

export async function again() {
  return sent(pending());
}

export function abandon() {
  sessionStorage.removeItem(PENDING);
}

async function sent(request) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const body = await answered(request.path, {
        method: "POST",
        body: JSON.stringify(request.body),
        headers: { "Idempotency-Key": request.key },
      });
      abandon();
      return body;
    } catch (refused) {
      if (!(refused instanceof Refused)) throw refused;
      if (isFinal(refused.problem)) {
        abandon();
        throw refused;
      }
      if (attempt === ATTEMPTS) throw refused;
      await new Promise((resume) => setTimeout(resume, 1000 * (refused.problem?.retry.after_s ?? 1)));
    }
  }
}

function isFinal(problem) {
  return problem !== null && problem.decided === false && !problem.retry.safe;
}

async function answered(path, { headers = {}, ...request }) {
  let answer;
  try {
    answer = await fetch(path, {
      ...request,
      headers: { Authorization: `Bearer ${key.get()}`, "Content-Type": "application/json", ...headers },
    });
  } catch {
    throw new Refused(null);
  }
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(body);
  return body;
}
