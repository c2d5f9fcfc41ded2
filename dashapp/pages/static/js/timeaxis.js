// Time axes in the browser's time zone, or in UTC where the reader wants that. Bokeh writes UTC; dashapp's time axes are
// the only users of these two classes on its pages, so that their ticks and labels are replaced here, before the first draw.

const DAY = 86_400_000;
const ZONE = "dashapp-zone";
const MINUTE = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const asked = new URLSearchParams(location.search).get("tz");
// A browser may refuse its store, as to a file shown within another page.
const store = (() => { try { return localStorage; } catch { return null; } })();
let utc = (asked ?? store?.getItem(ZONE)) === "utc";
/** A way to write moments. A browser takes milliseconds to make one, so that it is made when it is first needed. */
function written(options) {
  const made = {};
  return { format: (ms) => (made[zone()] ??= new Intl.DateTimeFormat(undefined, utc ? { ...options, timeZone: "UTC" } : options)).format(ms) };
}
const clock = written(MINUTE);
const seconds = written({ ...MINUTE, second: "2-digit" });
const date = written({ day: "numeric", month: "short" });
const moment = written({ day: "numeric", month: "short", ...MINUTE, second: "2-digit" });
const short = written({ day: "numeric", month: "short", ...MINUTE });

export const zone = () => (utc ? "utc" : "local");

/** Write times in `utc` or `local`; remembered in this browser. */
export function setZone(name) {
  utc = name === "utc";
  store?.setItem(ZONE, name);
}

export const writeMoment = (ms) => moment.format(ms) + (utc ? " UTC" : "");
export const writeClock = (ms) => (Date.now() - ms < 12 * 3_600_000 ? clock : moment).format(ms);
export const writeRange = (start, end) => {
  const tail = utc ? " UTC" : "";
  return `${short.format(start)} – ${date.format(start) === date.format(end) ? clock.format(end) : short.format(end)}${tail}`;
};

const offset = (ms) => (utc ? 0 : -new Date(ms).getTimezoneOffset() * 60_000);

/** A moment as it is typed, `2026-11-24 18:00:00`, and back to Unix ms (NaN where it is none). */
export const writeField = (ms) => new Date(ms + offset(ms)).toISOString().slice(0, 19).replace("T", " ");
export function readField(text) {
  if (/[zZ]$|[+-]\d\d:?\d\d$/.test(text)) return Date.parse(text);
  if (!/^\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?)?$/.test(text)) return NaN;
  const whole = text.length === 10 ? `${text}T00:00` : text.replace(" ", "T");
  return Date.parse(utc ? `${whole}Z` : whole);
}

/** Multiples of `interval` of the local clock in [low, high]. */
export function localTicks(low, high, interval) {
  const ticks = [];
  if (!(interval > 0) || (high - low) / interval > 500) return ticks;
  const shift = offset(low);
  for (let local = Math.ceil((low + shift) / interval) * interval; ; local += interval) {
    // Over a change of the clock the offset is another one.
    let tick = local - shift;
    tick += shift - offset(tick);
    if (tick > high) return ticks;
    if (tick >= low) ticks.push(tick);
  }
}

export function labels(ticks) {
  const step = ticks.length > 1 ? ticks[1] - ticks[0] : DAY / 24;
  return ticks.map((tick) => {
    if (step < 60_000) return seconds.format(tick);
    const local = tick + offset(tick);
    return step >= DAY || local % DAY === 0 ? date.format(tick) : clock.format(tick);
  });
}

export function install(Bokeh) {
  Bokeh.Models.get("SingleIntervalTicker").prototype.get_ticks = function (low, high) {
    return { major: localTicks(low, high, this.interval), minor: [] };
  };
  // Plots over the same range write the same labels, several times each.
  let asked = "", last = [];
  Bokeh.Models.get("DatetimeTickFormatter").prototype.doFormat = (ticks) => {
    const wanted = `${zone()} ${ticks}`;
    if (wanted !== asked) [asked, last] = [wanted, labels(ticks)];
    return last;
  };
}
