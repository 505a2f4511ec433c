// Numbers and times as people read them.

const whole = new Intl.NumberFormat('en', {maximumFractionDigits: 0});
const tenths = new Intl.NumberFormat('en', {minimumFractionDigits: 1, maximumFractionDigits: 1});
const short = new Intl.NumberFormat('en', {notation: 'compact', maximumSignificantDigits: 3});
const NONE = '–';

const words = {
  count: (number) => number < 100000 ? whole.format(number) : short.format(number),

  // A rate: one decimal where it is small, for 0.2 a second is not none.
  rate(number) {
    if (number === null || number === undefined || !Number.isFinite(number)) return NONE;
    if (number === 0) return '0';
    if (number < 0.1) return '<0.1';
    return number < 99.95 ? tenths.format(number) : words.count(number);
  },

  share(part, all) {
    if (!all || part === null) return NONE;
    if (part <= 0) return '0 %';
    const percent = 100 * part / all;
    return percent < 0.1 ? '<0.1 %' : `${percent < 9.95 ? tenths.format(percent) : whole.format(percent)} %`;
  },

  // [number, unit]
  latency(micros) {
    if (micros === null || micros === undefined) return [NONE, ''];
    if (micros < 1000) return [(micros / 1000).toFixed(2), 'ms'];
    if (micros < 9950) return [tenths.format(micros / 1000), 'ms'];
    if (micros < 999500) return [whole.format(micros / 1000), 'ms'];
    return [micros < 99.5e6 ? tenths.format(micros / 1e6) : whole.format(micros / 1e6), 's'];
  },

  latencyText: (micros) => words.latency(micros).join(' ').trim(),

  bytes(number) {
    if (number === null || !Number.isFinite(number)) return [NONE, ''];
    const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
    let unit = 0;
    while (number >= 1000 && unit < units.length - 1) {
      number /= 1024;
      unit += 1;
    }
    return [number < 99.95 && unit > 0 ? tenths.format(number) : whole.format(number), units[unit]];
  },

  // How long: the two largest units that are not nothing.
  span(ms) {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
    if (days > 0) return `${days} d ${hours} h`;
    if (hours > 0) return `${hours} h ${minutes} min`;
    if (minutes > 0) return `${minutes} min ${seconds % 60} s`;
    return `${seconds} s`;
  },

  ago(ms) {
    if (ms < 5000) return 'just now';
    if (ms < 120000) return `${Math.floor(ms / 1000)} s ago`;
    if (ms < 7200000) return `${Math.floor(ms / 60000)} min ago`;
    return ms < 172800000 ? `${Math.floor(ms / 3600000)} h ago` : `${Math.floor(ms / 86400000)} days ago`;
  },

  // The time of day, with the date where it is another day.
  clock(ms) {
    const at = new Date(ms);
    const time = at.toLocaleTimeString('en-GB');
    return at.toDateString() === new Date().toDateString() ? time : `${words.date(ms)} ${time}`;
  },

  date(ms) {
    const at = new Date(ms);
    const two = (number) => String(number).padStart(2, '0');
    return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  },

  plural: (number, one, many = `${one}s`) => `${words.count(number)} ${number === 1 ? one : many}`,
};
