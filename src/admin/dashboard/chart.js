// Requests a second over the last minutes, with the errors among them.

const LEFT = 46;
const BOTTOM = 22;
const TOP = 8;

class Chart {
  constructor(element, legend) {
    Object.assign(this, {element, points: [], cursor: null, most: 1});
    this.svg = makeSvg('svg', {'aria-hidden': 'true'});
    this.lines = [0, 1, 2].map(() => this.add('line', {class: 'rule'}));
    this.labels = [0, 1, 2].map(() => this.add('text', {'text-anchor': 'end', x: LEFT - 8}));
    this.times = [5, 4, 3, 2, 1, 0].map((minutes) => {
      const text = this.add('text', {'text-anchor': minutes === 5 ? 'start' : minutes ? 'middle' : 'end'});
      text.textContent = minutes ? `−${minutes} min` : 'now';
      return {text, minutes};
    });
    this.area = this.add('path', {class: 'area'});
    this.client = this.add('path', {class: 'area4'});
    this.server = this.add('path', {class: 'area5'});
    this.line = this.add('path', {class: 'line'});
    this.cross = this.add('line', {class: 'cross', visibility: 'hidden'});
    element.append(this.svg);
    this.legend = [['key-all', 'all'], ['key-4', '4xx'], ['key-5', '5xx']].map(([key, name]) => {
      const number = make('b');
      legend.append(make('li', {}, make('i', {class: key}), name, number));
      return number;
    });
    this.when = make('li', {class: 'when'});
    legend.append(this.when);
    new ResizeObserver(() => this.draw()).observe(element);
    element.addEventListener('pointermove', (event) => this.point(event.clientX - element.getBoundingClientRect().left));
    element.addEventListener('pointerleave', () => this.choose(null));
    element.addEventListener('blur', () => this.choose(null));
    element.addEventListener('keydown', (event) => this.press(event));
  }

  add(tag, attributes) {
    const element = makeSvg(tag, attributes);
    this.svg.append(element);
    return element;
  }

  // Points: age in milliseconds, and what there was a second.
  take(samples) {
    const now = samples.at(-1)?.at ?? 0;
    this.points = samples.slice(1).map((sample, index) => {
      const before = samples[index];
      const a_second = 1000 / Math.max(1, sample.at - before.at);
      const of = (name) => Math.max(0, sample[name] - before[name]) * a_second;
      return {age: now - sample.at, all: of('requests'), client: of('client'), server: of('server')};
    }).filter((point) => point.age <= SHOWN);
    this.draw();
  }

  point(x) {
    const age = (1 - (x - LEFT) / (this.element.clientWidth - LEFT)) * SHOWN;
    let nearest = null;
    this.points.forEach((point, index) => {
      if (nearest === null || Math.abs(point.age - age) < Math.abs(this.points[nearest].age - age)) nearest = index;
    });
    this.choose(nearest === null ? null : this.points.length - 1 - nearest);
  }

  press(event) {
    const steps = {ArrowLeft: 1, ArrowRight: -1, PageUp: 30, PageDown: -30};
    const step = steps[event.key];
    if (event.key === 'Escape') this.choose(null);
    if (!step) return;
    event.preventDefault();
    this.choose(Math.min(this.points.length - 1, Math.max(0, (this.cursor ?? 0) + step)));
  }

  // A point, counted from the last one.
  choose(cursor) {
    this.cursor = cursor;
    this.draw();
  }

  scale() {
    const most = Math.max(1, ...this.points.map((point) => point.all));
    const power = 10 ** Math.floor(Math.log10(most));
    const nice = [1, 2, 4, 6, 8, 10].map((factor) => factor * power).find((bound) => bound >= most);
    // It grows at once, and shrinks when it is far too large.
    if (nice > this.most || nice < this.most / 2) this.most = nice;
  }

  draw() {
    const [width, height] = [this.element.clientWidth, this.element.clientHeight];
    if (!width || !height) return;
    this.scale();
    const x = (age) => LEFT + (1 - age / SHOWN) * (width - LEFT);
    const y = (value) => TOP + (1 - value / this.most) * (height - TOP - BOTTOM);
    [0, 0.5, 1].forEach((share, index) => {
      const at = y(share * this.most);
      for (const [name, value] of Object.entries({x1: LEFT, x2: width, y1: at, y2: at})) mark(this.lines[index], name, value);
      mark(this.labels[index], 'y', at + 4);
      put(this.labels[index], words.rate(share * this.most));
    });
    for (const {text, minutes} of this.times) {
      mark(text, 'x', x(minutes * MINUTE));
      mark(text, 'y', height - 4);
      mark(text, 'visibility', width < 500 && minutes % 2 === 0 && minutes > 0 ? 'hidden' : null);
    }
    this.paths(x, y);
    const chosen = this.points.at(-1 - (this.cursor ?? 0));
    const isMarked = this.cursor !== null && chosen;
    mark(this.cross, 'visibility', isMarked ? null : 'hidden');
    if (isMarked) for (const [name, value] of Object.entries({x1: x(chosen.age), x2: x(chosen.age), y1: TOP, y2: height - BOTTOM})) mark(this.cross, name, value);
    ['all', 'client', 'server'].forEach((name, index) => put(this.legend[index], chosen ? words.rate(chosen[name]) : NONE));
    put(this.when, isMarked ? `${Math.round(chosen.age / 1000)} s ago` : 'now');
    this.tell(isMarked ? chosen : null);
  }

  paths(x, y) {
    const path = (of) => this.points.map((point, index) => `${index ? 'L' : 'M'}${x(point.age).toFixed(1)} ${y(of(point)).toFixed(1)}`).join('');
    const filled = (of) => {
      if (this.points.length === 0) return '';
      const [first, last] = [this.points[0], this.points.at(-1)];
      return `${path(of)}L${x(last.age).toFixed(1)} ${y(0)}L${x(first.age).toFixed(1)} ${y(0)}Z`;
    };
    const errors = (name) => this.points.some((point) => point[name] > 0);
    mark(this.line, 'd', path((point) => point.all));
    mark(this.area, 'd', filled((point) => point.all));
    mark(this.client, 'd', errors('client') ? filled((point) => Math.min(point.all, point.client + point.server)) : '');
    mark(this.server, 'd', errors('server') ? filled((point) => Math.min(point.all, point.server)) : '');
  }

  // In words, for who does not see it: now, or where the arrow keys have gone.
  tell(chosen) {
    const peak = this.points.reduce((most, point) => Math.max(most, point.all), 0);
    const at = chosen ?? this.points.at(-1);
    if (!at) return;
    const text = `Requests a second ${chosen ? `${Math.round(at.age / 1000)} seconds ago` : 'now'}: ${words.rate(at.all)}, `
      + `of which ${words.rate(at.client)} with 4xx and ${words.rate(at.server)} with 5xx; the most in five minutes was ${words.rate(peak)}. `
      + 'Arrow keys go back in time.';
    mark(this.element, 'aria-label', text);
  }
}
