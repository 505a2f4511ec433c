// What runs: it asks, draws, and says how the gateway stands.

const model = new Model();
const chart = new Chart(byId('chart'), byId('legend'));
const routes = new Routes();
const clusters = new Clusters();
const parts = [new Tiles(byId('tiles')), routes, new Flags(), new Workers(), clusters, new Certificates(), new Configuration()];
let isPaused = false;
let wantsHistory = true;
let lost = null;
let asking = null;
let timer = null;

async function ask() {
  clearTimeout(timer);
  if (isPaused || document.hidden || asking) return;
  const began = performance.now();
  const parameters = new URLSearchParams({loads_since: model.latestLoad});
  if (wantsHistory) parameters.set('history', '1');
  if (routes.search.value.trim()) parameters.set('routes', routes.search.value.trim());
  if (clusters.search.value.trim()) parameters.set('clusters', clusters.search.value.trim());
  asking = new AbortController();
  const late = setTimeout(() => asking?.abort(), ANSWER_TIME);
  try {
    const response = await fetch(`api/overview?${parameters}`, {signal: asking.signal, cache: 'no-store', headers: {accept: 'application/json'}});
    if (!response.ok) throw new Error(`status ${response.status}`);
    const answer = await response.json();
    // Another process knows of no load that this page has seen of the one before.
    const isNew = model.take(answer);
    wantsHistory = isNew && !answer.history;
    lost = null;
    draw();
  } catch (error) {
    lost ??= Date.now();
    wantsHistory = true;
    drawState();
  } finally {
    clearTimeout(late);
    asking = null;
    timer = setTimeout(ask, Math.max(0, ASK_EVERY - (performance.now() - began)));
  }
}

function draw() {
  const {process, configuration} = model.last;
  put(byId('version'), process.version);
  document.title = `sluicegate: ${lost ? 'not reachable' : configuration.failing_since_ms ? 'reload failed' : model.last.state}`;
  chart.take(model.samples);
  for (const part of parts) part.draw(model);
  drawState();
}

// The line at the top: level, word, text, age.
function state() {
  if (lost) return ['bad', 'Not reachable', `since ${words.clock(lost)}; it is asked again every second`, lost];
  const answer = model.last;
  if (!answer) return ['wait', 'Asking the gateway', '', null];
  const {generation, serving_since_ms, failing_since_ms} = answer.configuration;
  const since = serving_since_ms ?? answer.process.started_ms;
  if (answer.state === 'draining') return ['warn', 'Draining', 'it takes no new connections; those that are open may end', null];
  if (answer.state !== 'ready') return ['warn', answer.state === 'starting' ? 'Starting' : 'Ended', answer.not_ready_because ?? '', null];
  if (failing_since_ms) {
    const errors = model.loads.at(-1)?.errors ?? 0;
    const why = errors ? `found ${words.plural(errors, 'error')}` : 'could not be done';
    return ['bad', 'Reload failed', `the one of ${words.clock(failing_since_ms)} ${why}; generation ${generation} of ${words.clock(since)} is still served`, failing_since_ms];
  }
  return ['good', 'Ready', `serving generation ${generation} since ${words.clock(since)}`, since];
}

function drawState() {
  const [level, word, text, since] = state();
  mark(byId('state'), 'data-level', level);
  put(byId('state-word'), word);
  put(byId('state-text'), text);
  const up = model.last && !lost ? `, up ${words.span(model.last.process.uptime_ms)}` : '';
  put(byId('state-age'), since === null ? '' : `${words.ago(Date.now() - since)}${up}`);
  const is = isPaused ? 'paused' : lost ? 'lost' : model.last ? 'live' : 'wait';
  mark(byId('live'), 'data-is', is);
  put(byId('live').lastChild, {paused: 'paused', lost: 'no answer', live: 'live', wait: 'waiting'}[is]);
  if (lost) document.title = 'sluicegate: not reachable';
}

function pause(wanted) {
  isPaused = wanted;
  mark(byId('pause'), 'aria-pressed', String(isPaused));
  put(byId('pause'), isPaused ? 'Resume' : 'Pause');
  wantsHistory = true;
  drawState();
  ask();
}

// Colours: as the system has them, or what was chosen here.
const THEMES = {auto: ['Auto', 'as the system has them'], dark: ['Dark', 'dark'], light: ['Light', 'light']};
// A browser may keep nothing for this page.
const kept = {
  get: () => { try { return localStorage.getItem('theme'); } catch { return null; } },
  set: (value) => { try { localStorage.setItem('theme', value); } catch { /* It holds until the page is left. */ } },
};

function setTheme(name) {
  const theme = THEMES[name] ? name : 'auto';
  mark(document.documentElement, 'data-theme', theme === 'auto' ? null : theme);
  put(byId('theme'), THEMES[theme][0]);
  mark(byId('theme'), 'aria-label', `Colours: ${THEMES[theme][1]}`);
  return theme;
}

let theme = setTheme(kept.get());
byId('theme').addEventListener('click', () => {
  const names = Object.keys(THEMES);
  theme = setTheme(names[(names.indexOf(theme) + 1) % names.length]);
  kept.set(theme);
});

byId('pause').addEventListener('click', () => pause(!isPaused));
document.addEventListener('visibilitychange', () => {
  wantsHistory = true;
  ask();
});

for (const part of [routes, clusters]) {
  part.search.addEventListener('input', () => {
    (part.table?.order ?? part.order).renew();
    clearTimeout(timer);
    timer = setTimeout(ask, 150);
  });
}

document.addEventListener('keydown', (event) => {
  const isTyping = event.target.matches('input, textarea, select');
  if (event.key === 'Escape' && isTyping) event.target.blur();
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const keys = {'/': () => byId('routes-search').focus(), e: () => byId('explain-url').focus(), p: () => pause(!isPaused)};
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});

byId('explain-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const story = byId('story');
  const parameters = new URLSearchParams({format: 'text', url: byId('explain-url').value.trim(), method: byId('explain-method').value.trim() || 'GET'});
  const client = byId('explain-client').value.trim();
  if (client) parameters.set('client', client);
  for (const line of byId('explain-headers').value.split('\n')) if (line.trim()) parameters.append('header', line.trim());
  let text;
  let isGood = false;
  try {
    const response = await fetch(`explain?${parameters}`, {cache: 'no-store', headers: {accept: 'text/plain'}});
    text = await response.text();
    isGood = response.ok;
  } catch {
    text = 'The gateway does not answer.';
  }
  put(story, text.trimEnd());
  mark(story, 'data-level', isGood ? null : 'bad');
  show(story, true);
});

// Ages go on while nobody answers.
setInterval(() => { if (lost || isPaused) drawState(); }, 1000);
ask();
