// Clusters, certificates, loads of the configuration: lists whose rows can be opened.

// A row that opens: what is in it is made when it is opened first.
function opening(columns, fill) {
  const summary = make('summary', {}, ...columns);
  const inside = make('div', {class: 'inside'});
  const details = make('details', {}, summary, inside);
  details.addEventListener('toggle', () => fill(details));
  return details;
}

class Clusters {
  constructor() {
    this.search = byId('clusters-search');
    const list = byId('clusters-list');
    this.order = new Order(list);
    this.shown = new Shown(list, 8);
    this.known = new WeakMap();
    const create = () => {
      const number = (name) => make('span', {class: `num ${name}`});
      const columns = [make('span', {class: 'name'}), number('medium'), number('medium'), number('wide'), make('span', {class: 'chip'})];
      return opening(columns, (details) => this.fill(details));
    };
    this.rows = new Rows(list, create, (details, row) => this.update(details, row));
  }

  update(details, row) {
    this.known.set(details, row);
    const [name, rate, errors, latency, chip] = details.firstChild.children;
    putName(name, row.name, Clusters.trouble(row) ?? row.source);
    const isBad = Clusters.trouble(row) !== null;
    name.lastChild.classList.toggle('red', isBad && row.good === 0);
    name.lastChild.classList.toggle('amber', isBad && row.good > 0);
    put(rate, `${words.rate(row.rate)}/s`);
    put(errors, `${words.share(row.server, row.minute)} 5xx`);
    errors.classList.toggle('red', row.server > 0);
    put(latency, `p99 ${words.latencyText(row.latencies.values[0])}`);
    latency.classList.toggle('old', row.latencies.isOld);
    const {total} = row.endpoints;
    put(chip, total ? `${row.good} of ${total} good` : 'no endpoint');
    mark(chip, 'data-level', row.good === 0 ? 'bad' : row.good < total ? 'warn' : 'good');
    if (details.open) this.fill(details);
  }

  // In a few words, what is wrong; nothing where nothing is.
  static trouble(row) {
    if (row.endpoints.total === 0) return 'nobody to send to: no endpoint is known, so requests get 503';
    const bad = row.endpoints.rows.filter((endpoint) => !endpoint.good);
    if (bad.length === 0) return null;
    return `${words.plural(row.endpoints.total - row.good, 'endpoint')} not used: ${bad[0].address} ${Clusters.health(bad[0])[1]}`;
  }

  static health(endpoint) {
    const reasons = [];
    if (endpoint.ejected) {
      const {reason, left_ms} = endpoint.ejected;
      reasons.push(`is put out (${reason}), ${left_ms > 0 ? `back in ${words.span(left_ms)}` : 'back any moment'}`);
    }
    if (endpoint.failing_checks) reasons.push('fails its health check');
    return reasons.length ? ['bad', reasons.join(' and ')] : ['good', 'good'];
  }

  fill(details) {
    const row = this.known.get(details);
    if (!row || !details.open) return;
    const inside = details.lastChild;
    if (!inside.firstChild) {
      const columns = [['Endpoint', ''], ['Weight', 'right medium'], ['State', 'state-of'], ['Put out', 'right medium']];
      const head = make('tr', {}, ...columns.map(([title, name]) => make('th', {scope: 'col', class: name}, title)));
      const body = make('tbody');
      inside.append(make('p', {class: 'quiet'}), make('p', {class: 'quiet'}), make('table', {class: 'grid'}, make('thead', {}, head), body), make('p', {class: 'quiet'}));
      const create = () => make('tr', {}, make('td', {class: 'mono'}), make('td', {class: 'right medium'}), make('td'), make('td', {class: 'right medium'}));
      inside.rows = new Rows(body, create, (element, endpoint) => {
        const [address, weight, state, ejections] = element.children;
        const [isBad, text] = Clusters.health(endpoint);
        put(address, endpoint.address);
        put(weight, endpoint.weight);
        put(state, text);
        state.className = isBad === 'bad' ? 'red' : '';
        put(ejections, endpoint.ejections ? `${words.count(endpoint.ejections)}×` : 'never');
      });
    }
    const [source, policy, table, more] = inside.children;
    // Where there is no trouble, the source is in the row itself.
    const about = [Clusters.trouble(row) ? row.source : '', row.protocol, `${words.count(row.requests)} requests since the start`];
    put(source, about.filter(Boolean).join('; '));
    put(policy, Clusters.policies(row).join('; '));
    show(policy, policy.textContent !== '');
    show(table, row.endpoints.total > 0);
    row.endpoints.rows.forEach((endpoint, place) => { endpoint.place = place; });
    inside.rows.draw(row.endpoints.rows, (endpoint) => endpoint.place);
    const hidden = row.endpoints.total - row.endpoints.rows.length;
    put(more, hidden > 0 ? `and ${words.plural(hidden, 'more endpoint', 'more endpoints')}, all in /clusters` : '');
  }

  static policies(row) {
    const texts = [];
    if (row.outlier) {
      const {ejected, ejections, prevented} = row.outlier;
      texts.push(`outlier detection: ${words.count(ejected)} out now, ${words.plural(ejections, 'ejection')} so far` + (prevented ? `, ${words.count(prevented)} prevented by maxEjectionPercent` : ''));
    }
    if (row.checks) texts.push(`health checks: ${words.count(row.checks.good)} good, ${words.count(row.checks.bad)} failed`);
    for (const [name, limit] of Object.entries(row.limits ?? {})) {
      if (limit) texts.push(`${name}: ${words.count(limit.in_use)} of ${words.count(limit.most)} in use` + (limit.refused ? `, ${words.count(limit.refused)} refused` : ''));
    }
    return texts;
  }

  draw(model) {
    const {clusters} = model.last;
    const wanted = this.search.value.trim();
    const rows = clusters.rows.map((row) => {
      const key = Model.key(row);
      const of = (name, time) => model.row('clusters', key, name, time);
      return {
        ...row, rate: of('requests'), minute: of('requests', MINUTE), server: of('server_errors', MINUTE),
        latencies: model.percentiles((answer) => answer.clusters.byKey.get(key)?.latency, [0.99]),
      };
    });
    this.shown.again = () => this.draw(model);
    const stays = this.order.stays();
    this.rows.draw(this.shown.pick(rows, (row) => row.name, stays), (row) => row.name, stays);
    put(byId('clusters-note'), after(wanted, clusters, ', those with trouble first'));
    putEmpty('clusters', clusters, wanted, 'The configuration has no cluster.');
  }
}

const DAY = 86400000;

class Certificates {
  constructor() {
    this.shown = new Shown(byId('certificates-list'), 6);
    const create = () => make('li', {}, make('span', {class: 'text'}, make('b'), make('small'), make('small', {class: 'red'})), make('span', {class: 'end'}, make('span', {class: 'chip'}), make('small')));
    this.rows = new Rows(byId('certificates-list'), create, (item, row) => {
      const [text, end] = item.children;
      const [name, server, problems] = text.children;
      put(name, row.names.join(', ') || row.subject || 'no certificate');
      put(server, row.name);
      const state = {kept: 'What was there before is still used. ', failed: 'Not usable: TLS of this server or upstream does not work. '};
      put(problems, (state[row.state] ?? '') + row.problems.join('; '));
      show(problems, problems.textContent !== '');
      const [chip, date] = end.children;
      put(chip, row.days === null ? 'none' : row.days < 0 ? 'expired' : row.days < 1 ? 'less than a day' : words.plural(Math.floor(row.days), 'day'));
      mark(chip, 'data-level', row.days === null || row.days < 7 ? 'bad' : row.days < 30 ? 'warn' : 'good');
      put(date, row.not_after_ms === null ? '' : `until ${words.date(row.not_after_ms)}`);
    });
  }

  draw(model) {
    const {certificates, now_ms} = model.last;
    const rows = certificates.rows.map((row) => ({...row, days: row.not_after_ms === null ? null : (row.not_after_ms - now_ms) / DAY}));
    // By their place: a server may have two that look alike, such as one of RSA and one of ECDSA.
    rows.forEach((row, place) => { row.place = place; });
    const key = (row) => row.place;
    this.shown.again = () => this.draw(model);
    this.rows.draw(this.shown.pick(rows, key, false), key);
    put(byId('certificates-note'), rows.length ? `${after('', certificates, '')}, those that end first` : '');
    show(byId('certificates-empty'), rows.length === 0);
  }
}

class Configuration {
  constructor() {
    this.known = new WeakMap();
    this.shown = new Shown(byId('loads'), 5);
    const create = () => opening([make('span', {class: 'name'}), make('span', {class: 'chip'})], (details) => this.fill(details));
    this.rows = new Rows(byId('loads'), create, (details, row) => this.update(details, row));
  }

  update(details, load) {
    this.known.set(details, load);
    const [name, chip] = details.firstChild.children;
    const isGood = load.generation !== null;
    const problems = [load.errors ? words.plural(load.errors, 'error') : '', load.warnings ? words.plural(load.warnings, 'warning') : ''].filter(Boolean);
    putName(name, `${words.clock(load.at_ms)} by ${load.why}`, [isGood ? `generation ${load.generation}` : 'nothing changed', `took ${words.latencyText(load.took_ms * 1000)}`, ...problems].join(', '));
    put(chip, isGood ? (load.warnings ? 'with warnings' : 'good') : 'failed');
    mark(chip, 'data-level', isGood ? (load.warnings ? 'warn' : 'good') : 'bad');
  }

  fill(details) {
    const load = this.known.get(details);
    const inside = details.lastChild;
    if (inside.firstChild || !load) return;
    const all = load.errors + load.warnings;
    if (load.diagnostics.length === 0) inside.append(make('p', {class: 'quiet'}, 'Nothing to say.'));
    for (const text of load.diagnostics) inside.append(make('pre', {tabindex: '0'}, text));
    if (load.diagnostics.length < all) inside.append(make('p', {class: 'quiet'}, 'More of it: sluicegate check'));
  }

  draw(model) {
    const {configuration} = model.last;
    const {generation, listeners, routes, clusters, inputs} = configuration;
    put(byId('configuration-note'), `generation ${generation}: ${words.plural(listeners, 'listener')}, ${words.plural(routes, 'route')}, ${words.plural(clusters, 'cluster')}`);
    put(byId('inputs'), `From ${inputs.join(', ') || 'nowhere'}`);
    const loads = [...model.loads].reverse();
    const isFirst = this.failed !== loads[0]?.at_ms;
    this.shown.again = () => this.draw(model);
    this.rows.draw(this.shown.pick(loads, (load) => load.at_ms, false), (load) => load.at_ms);
    // A failure that is news is not hidden behind a click.
    if (loads[0]?.generation === null && isFirst) {
      this.failed = loads[0].at_ms;
      this.rows.elements.get(loads[0].at_ms).open = true;
    }
    show(byId('loads-empty'), loads.length === 0);
  }
}
