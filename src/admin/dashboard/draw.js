// The page's elements. Text goes in as text, never as markup: names of hosts, routes and files are what users wrote.

const byId = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function makeSvg(tag, attributes = {}) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// Whatever is right already is left alone: nothing flickers, a selection stays, and nobody is told of what has not changed.
function put(element, text) {
  const wanted = String(text ?? '');
  if (element.textContent !== wanted) element.textContent = wanted;
}

function mark(element, name, value) {
  if (value === null || value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) {
    element.setAttribute(name, value);
  }
}

const show = (element, isShown) => { if (element.hidden === isShown) element.hidden = !isShown; };

// A number with a small unit behind it.
function putNumber(element, number, unit) {
  if (!element.firstChild) element.append('', make('span'));
  if (element.firstChild.data !== number) element.firstChild.data = number;
  put(element.lastChild, unit);
}

// Rows that keep their elements while they are there. `update` gets an element that `create` has made, and its row.
class Rows {
  constructor(parent, create, update) {
    Object.assign(this, {parent, create, update, elements: new Map()});
  }

  // In this order, unless `keepOrder`: then those that are there stay where they are, and new ones come last.
  draw(rows, keyOf, keepOrder = false) {
    const keys = new Set(rows.map(keyOf));
    for (const [key, element] of this.elements) {
      if (keys.has(key)) continue;
      element.remove();
      this.elements.delete(key);
    }
    let place = this.parent.firstElementChild;
    for (const row of rows) {
      const key = keyOf(row);
      let element = this.elements.get(key);
      const isNew = !element;
      if (isNew) {
        element = this.create(row);
        this.elements.set(key, element);
        if (keepOrder) this.parent.append(element);
      }
      if (!keepOrder) {
        if (element === place) place = place.nextElementSibling;
        else this.parent.insertBefore(element, place);
      }
      this.update(element, row);
    }
  }
}

// Order changes at most so often, and not under a hand that is about to point at something.
const ORDER_EVERY = 5000;

class Order {
  constructor(element) {
    Object.assign(this, {element, at: 0});
  }

  stays() {
    const isHeld = this.element.matches(':hover') || this.element.contains(document.activeElement);
    const stays = this.at > 0 && (isHeld || performance.now() - this.at < ORDER_EVERY);
    if (!stays) this.at = performance.now();
    return stays;
  }

  renew() {
    this.at = 0;
  }
}

// The first rows of a list, with a button for the others. While the order stays, so do those that are shown.
class Shown {
  constructor(after, few) {
    Object.assign(this, {few, isAll: false, keys: new Set(), button: make('button', {type: 'button', class: 'more', hidden: ''})});
    after.after(this.button);
    this.button.addEventListener('click', () => {
      this.isAll = !this.isAll;
      this.again?.();
    });
  }

  pick(rows, keyOf, stays) {
    // One more than a few is no reason for a button.
    const isLong = rows.length > this.few + 1;
    show(this.button, isLong);
    put(this.button, this.isAll ? `Show ${this.few}` : `Show all ${rows.length}`);
    mark(this.button, 'aria-expanded', String(this.isAll));
    if (!isLong || this.isAll) return rows;
    const kept = stays ? rows.filter((row) => this.keys.has(keyOf(row))).slice(0, this.few) : [];
    const picked = kept.concat(rows.filter((row) => !kept.includes(row)).slice(0, this.few - kept.length));
    this.keys = new Set(picked.map(keyOf));
    return picked;
  }
}

// A table with a head whose columns can be sorted by. A column: title, about, class, value (what it is sorted by), and draw,
// which gets the cell and the row.
class Table {
  constructor(table, columns, sortBy, shown = null) {
    Object.assign(this, {columns, sortBy, shown, isDescending: true, order: new Order(table)});
    // Said outright, for a narrow screen lays rows out as it needs them.
    mark(table, 'role', 'table');
    this.cells = new WeakMap();
    const body = make('tbody', {role: 'rowgroup'});
    table.append(make('thead', {role: 'rowgroup'}, make('tr', {role: 'row'}, ...columns.map((column) => this.heading(column)))), body);
    this.rows = new Rows(body, () => this.create(), (element, row) => this.update(element, row));
    this.markSorted();
    if (shown) shown.again = () => {
      this.order.renew();
      if (this.drawn) this.draw(this.drawn, this.keyOf);
    };
  }

  heading(column) {
    column.head = make('th', {scope: 'col', role: 'columnheader', class: column.class ?? ''});
    if (column.width) column.head.style.width = column.width;
    if (column.about) column.head.title = column.about;
    if (!column.value) {
      column.head.append(column.title);
      return column.head;
    }
    const button = make('button', {type: 'button'}, column.title);
    button.addEventListener('click', () => this.sort(column));
    column.head.append(button);
    return column.head;
  }

  sort(column) {
    const isText = typeof column.value(this.drawn?.[0] ?? {}) === 'string';
    this.isDescending = column.title === this.sortBy ? !this.isDescending : !isText;
    this.sortBy = column.title;
    this.markSorted();
    this.order.renew();
    if (this.drawn) this.draw(this.drawn, this.keyOf);
  }

  markSorted() {
    for (const column of this.columns) {
      mark(column.head, 'aria-sort', column.title === this.sortBy ? (this.isDescending ? 'descending' : 'ascending') : null);
    }
  }

  create() {
    const cells = this.columns.map((column) => make('td', {role: 'cell', class: column.class ?? ''}));
    const row = make('tr', {role: 'row'}, ...cells);
    this.cells.set(row, cells);
    return row;
  }

  update(element, row) {
    this.cells.get(element).forEach((cell, index) => this.columns[index].draw(cell, row));
  }

  draw(rows, keyOf) {
    Object.assign(this, {drawn: rows, keyOf});
    const column = this.columns.find(({title}) => title === this.sortBy);
    const sorted = column ? [...rows].sort((a, b) => this.compare(column.value(a), column.value(b))) : rows;
    const stays = Boolean(column) && this.order.stays();
    this.rows.draw(this.shown ? this.shown.pick(sorted, keyOf, stays) : sorted, keyOf, stays);
  }

  compare(a, b) {
    const ascending = typeof a === 'string' ? a.localeCompare(b) : (a ?? -1) - (b ?? -1);
    return this.isDescending ? -ascending : ascending;
  }
}

// A bar with a number on it.
function putMeter(cell, share, text, level) {
  if (!cell.firstChild) cell.append(make('div', {class: 'meter'}, make('i'), make('span')));
  const meter = cell.firstChild;
  meter.firstChild.style.width = `${Math.round(1000 * Math.min(1, Math.max(0, share || 0))) / 10}%`;
  put(meter.lastChild, text);
  mark(meter, 'data-level', level);
}

// Two lines: what it is, and more about it.
function putName(cell, name, more) {
  if (!cell.firstChild) {
    cell.classList.add('name');
    cell.append(make('b'), make('span'));
  }
  put(cell.firstChild, name);
  put(cell.lastChild, more);
  mark(cell.firstChild, 'title', name);
  mark(cell.lastChild, 'title', more);
}
