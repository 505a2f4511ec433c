// The parts of the page. Each has `draw`, which gets the model.

const level = (isBad, isWarning) => isBad ? 'bad' : isWarning ? 'warn' : null;
const after = (wanted, all, what) => {
  if (all.matching > all.rows.length) return `the first ${all.rows.length} of ${words.count(all.matching)}${wanted ? ' found' : ''}${what}`;
  return wanted ? `${words.count(all.matching)} of ${words.count(all.total)} found` : words.count(all.total);
};

class Tiles {
  constructor(parent) {
    this.tiles = new Map(['Requests', 'Server errors', 'Latency', 'Connections', 'In flight', 'Traffic'].map((title) => {
      const tile = {element: make('div', {class: 'tile'}), number: make('b'), more: make('p')};
      tile.element.append(make('h3', {}, title), tile.number, tile.more);
      parent.append(tile.element);
      return [title, tile];
    }));
  }

  put(title, [number, unit], more, isBad = null) {
    const tile = this.tiles.get(title);
    putNumber(tile.number, number, unit);
    put(tile.more, more);
    mark(tile.more, 'title', more);
    mark(tile.element, 'data-level', isBad);
  }

  draw(model) {
    const {totals} = model.last;
    const [requests, errors, clientErrors] = ['requests', 'responses_5xx', 'responses_4xx'].map((name) => model.total(name));
    this.put('Requests', [words.rate(requests), '/s'], `${words.count(totals.requests)} since the start`);
    const share = requests ? errors / requests : 0;
    this.put('Server errors', [words.share(errors, requests), ''], `${words.rate(errors)}/s with 5xx, ${words.rate(clientErrors)}/s with 4xx`, level(share > 0.05, share > 0.005));
    const {values: [median, slow], isOld} = model.percentiles((answer) => answer.latency, [0.5, 0.99]);
    this.put('Latency', words.latency(slow), `p99; p50 ${words.latencyText(median)}, ${isOld ? 'since the start' : 'last minute'}`);
    this.put('Connections', [words.count(totals.connections_active), ''], `${words.rate(model.total('connections'))} new/s, ${words.rate(model.total('tls_handshakes'))} TLS/s`);
    this.put('In flight', [words.count(totals.requests_active), ''], `${words.count(totals.upstream_connections_active)} upstream connections`);
    const [sent, received] = ['bytes_sent', 'bytes_received'].map((name) => words.bytes(model.total(name)));
    this.put('Traffic', [sent[0], `${sent[1]}/s out`], `${received.join(' ')}/s in`);
  }
}

class Routes {
  constructor() {
    this.search = byId('routes-search');
    const percentile = (title, index) => ({
      title, class: index === 1 ? 'wide' : 'num', width: '5.6rem',
      about: 'Latency of the last minute; grey: since the start, for there was no request',
      value: (row) => row.latencies.values[index],
      draw: (cell, row) => {
        put(cell, words.latencyText(row.latencies.values[index]));
        cell.classList.toggle('old', row.latencies.isOld);
      },
    });
    this.table = new Table(byId('routes-table'), [
      {title: 'Route', value: (row) => row.name, draw: (cell, row) => putName(cell, row.name || 'no route', row.host || 'requests that no rule fits')},
      {title: 'Requests/s', class: 'num', width: '8.5rem', value: (row) => row.rate, draw: (cell, row) => putMeter(cell, row.rate / this.most, words.rate(row.rate))},
      {title: 'Total', class: 'medium', width: '6.5rem', about: 'Requests since the start', value: (row) => row.requests, draw: (cell, row) => put(cell, words.count(row.requests))},
      {title: '4xx', class: 'medium', width: '5.2rem', about: 'Share of the requests of the last minute', value: (row) => row.client, draw: (cell, row) => put(cell, words.share(row.client, row.minute))},
      {title: '5xx', class: 'num five', width: '5.2rem', about: 'Share of the requests of the last minute', value: (row) => row.server, draw: (cell, row) => {
        put(cell, words.share(row.server, row.minute));
        cell.classList.toggle('red', row.server > 0);
      }},
      {...percentile('p50', 0), class: 'medium'},
      percentile('p90', 1),
      percentile('p99', 2),
    ], 'Requests/s', new Shown(byId('routes-table'), 10));
  }

  draw(model) {
    const {routes} = model.last;
    const wanted = this.search.value.trim();
    const rows = routes.rows.map((row) => {
      const key = Model.key(row);
      const of = (name, time) => model.row('routes', key, name, time);
      return {
        ...row, key, rate: of('requests'), minute: of('requests', MINUTE), client: of('client_errors', MINUTE), server: of('server_errors', MINUTE),
        latencies: model.percentiles((answer) => answer.routes.byKey.get(key)?.latency, [0.5, 0.9, 0.99]),
      };
    });
    this.most = Math.max(1e-9, ...rows.map((row) => row.rate ?? 0));
    this.table.draw(rows, (row) => row.key);
    put(byId('routes-note'), after(wanted, routes, ', those with the most requests') + (wanted ? '' : ' with traffic'));
    putEmpty('routes', routes, wanted, 'No request has found a route since the start.');
  }
}

function putEmpty(name, all, wanted, none) {
  show(byId(`${name}-empty`), all.rows.length === 0);
  put(byId(`${name}-empty`), wanted && all.total > 0 ? `Nothing has “${wanted}” in it.` : none);
}

class Flags {
  constructor() {
    this.rows = new Rows(byId('flags-list'), () => {
      const item = make('li', {}, make('span', {class: 'chip flag'}), make('span', {class: 'text'}), make('span', {class: 'end'}, make('b'), make('small')));
      return item;
    }, (item, row) => {
      const [flag, text, end] = item.children;
      put(flag, row.flag);
      mark(flag, 'data-level', row.rate > 0 ? 'bad' : null);
      put(text, row.meaning);
      put(end.firstChild, `${words.rate(row.rate)}/s`);
      put(end.lastChild, `${words.count(row.requests)} in all`);
    });
    this.order = new Order(byId('flags-list'));
  }

  draw(model) {
    const rows = model.last.flags.map((row) => ({...row, rate: model.rate((answer) => answer.flagsByName.get(row.flag)?.requests, MINUTE)}));
    rows.sort((a, b) => (b.rate ?? 0) - (a.rate ?? 0) || b.requests - a.requests);
    this.rows.draw(rows, (row) => row.flag, this.order.stays());
    show(byId('flags-empty'), rows.length === 0);
  }
}

class Workers {
  constructor() {
    const meter = (title, name, text, width) => ({title, width, draw: (cell, row) => putMeter(cell, row[name] / this.most[name], text(row[name]), row.levels?.[name])});
    this.table = new Table(byId('workers-table'), [
      {title: 'Worker', width: '24%', draw: (cell, row) => putName(cell, row.ended ? `${row.id} ended` : row.id, row.about)},
      meter('Connections', 'connections', words.count),
      meter('Requests/s', 'rate', words.rate),
      meter('Busy', 'busy', (share) => words.share(share, 1)),
    ], null);
  }

  draw(model) {
    const drivers = new Set(model.last.workers.map((row) => row.driver));
    const rows = model.last.workers.map((row, index) => {
      const busy = row.cpu_ms === null ? null : model.rate((answer) => answer.workers[index]?.cpu_ms);
      const about = [row.cpu === null ? '' : `CPU ${row.cpu}`, drivers.size > 1 ? row.driver ?? 'starting' : ''].filter(Boolean).join(', ');
      return {...row, about, rate: model.rate((answer) => answer.workers[index]?.requests), busy: busy === null ? null : busy / 1000};
    });
    for (const row of rows) row.levels = {busy: level(row.busy > 0.95, row.busy > 0.8)};
    const most = (name) => Math.max(1e-9, ...rows.map((row) => row[name] ?? 0));
    this.most = {connections: most('connections'), rate: most('rate'), busy: 1};
    this.table.draw(rows, (row) => row.id);
    const driver = drivers.size === 1 ? [...drivers][0] : null;
    put(byId('workers-note'), [driver ? `on ${driver}` : '', Workers.balance(rows)].filter(Boolean).join('; '));
  }

  // How far the busiest is from the mean, of what there is enough of to say so.
  static balance(rows) {
    if (rows.length < 2) return words.plural(rows.length, 'worker');
    for (const [name, enough, what] of [['rate', 10 * rows.length, 'requests'], ['connections', 10 * rows.length, 'connections']]) {
      const sum = rows.reduce((all, row) => all + (row[name] ?? 0), 0);
      if (sum < enough) continue;
      const most = Math.max(...rows.map((row) => row[name] ?? 0)) * rows.length / sum;
      return `the most loaded has ${tenths.format(most)}× the mean of ${what}`;
    }
    return 'too little to do to compare them';
  }
}
