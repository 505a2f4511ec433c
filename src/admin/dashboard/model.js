// What the gateway has said, and what follows from it: rates and percentiles.

const MINUTE = 60000;
const SHOWN = 5 * MINUTE;
// Rates of rows are those of so long: one second of a quiet route says nothing.
const RATE_TIME = 5000;
// A gateway that does not answer for so long is not there.
const ANSWER_TIME = 5000;
const ASK_EVERY = 1000;

// Answers of one process, as far back as a minute. Another process begins anew.
class Model {
  constructor() {
    this.answers = [];
    this.loads = [];
    this.samples = [];
    this.process = null;
  }

  get last() {
    return this.answers.at(-1) ?? null;
  }

  take(answer) {
    const process = `${answer.process.id} ${answer.process.started_ms}`;
    const isNew = process !== this.process;
    if (isNew) Object.assign(this, {answers: [], loads: [], samples: [], process});
    for (const list of ['routes', 'clusters']) {
      answer[list].byKey = new Map(answer[list].rows.map((row) => [Model.key(row), row]));
    }
    answer.flagsByName = new Map(answer.flags.map((flag) => [flag.flag, flag]));
    this.answers.push(answer);
    const now = answer.process.uptime_ms;
    while (this.answers.length > 2 && now - this.answers[1].process.uptime_ms > MINUTE) this.answers.shift();
    const known = new Set(this.loads.map((load) => load.at_ms));
    this.loads = this.loads.concat(answer.configuration.loads.filter((load) => !known.has(load.at_ms))).slice(-20);
    if (answer.history) this.samples = Model.samplesOf(answer.history);
    const {requests, responses_4xx, responses_5xx} = answer.totals;
    // What the gateway has sampled itself may be of just now: the rate of a moment says nothing.
    if (this.samples.length > 1 && now - this.samples.at(-1).at < ASK_EVERY * 0.7) this.samples.pop();
    this.samples.push({at: now, requests, client: responses_4xx, server: responses_5xx});
    while (this.samples.length > 2 && now - this.samples[1].at > SHOWN) this.samples.shift();
    return isNew;
  }

  static samplesOf(history) {
    const of = (at, index) => ({at, requests: history.requests[index], client: history.client_errors[index], server: history.server_errors[index]});
    return history.at.map(of);
  }

  static key(row) {
    return `${row.name}\n${row.host ?? ''}`;
  }

  get latestLoad() {
    return this.loads.at(-1)?.at_ms ?? 0;
  }

  // The answer of so long ago, or the oldest.
  before(time) {
    const now = this.last.process.uptime_ms;
    return this.answers.find((answer) => now - answer.process.uptime_ms <= time + ASK_EVERY / 2) ?? this.answers[0];
  }

  // Something a second: `of` takes an answer and gives a sum, or nothing where it has none.
  rate(of, time = RATE_TIME) {
    const now = this.last;
    const to = of(now);
    if (to === undefined || to === null) return null;
    const now_ms = now.process.uptime_ms;
    const from = this.answers.find((answer) => answer !== now && now_ms - answer.process.uptime_ms <= time + ASK_EVERY / 2 && of(answer) !== undefined);
    if (!from) return null;
    const passed = now_ms - from.process.uptime_ms;
    return passed > 0 ? Math.max(0, to - of(from)) * 1000 / passed : null;
  }

  total(name, time = 2000) {
    return this.rate((answer) => answer.totals[name], time);
  }

  row(list, key, name, time) {
    return this.rate((answer) => answer[list].byKey.get(key)?.[name], time);
  }

  // Percentiles of the last minute; those since the start, marked as old, where nothing came in it.
  percentiles(of, wanted) {
    const now = of(this.last);
    const from = this.answers.find((answer) => answer !== this.last && of(answer) !== undefined);
    const recent = from ? difference(now, of(from)) : [];
    const isOld = count(recent) === 0;
    const buckets = isOld ? now : recent;
    return {isOld, values: wanted.map((share) => percentile(buckets, share))};
  }
}

const count = (buckets) => buckets.reduce((sum, [, requests]) => sum + requests, 0);

// What came between two answers.
function difference(now, before) {
  const known = new Map(before);
  return now.map(([bound, requests]) => [bound, requests - (known.get(bound) ?? 0)]).filter(([, requests]) => requests > 0);
}

// What so much of the requests did not take longer than; nothing where there is no request.
function percentile(buckets, share) {
  const rank = Math.ceil(count(buckets) * share);
  let below = 0;
  for (const [bound, requests] of buckets) {
    below += requests;
    if (rank > 0 && below >= rank) return bound;
  }
  return null;
}
