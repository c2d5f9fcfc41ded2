// Time axes in the browser's time zone. Bokeh writes UTC; dashapp's time axes are the only users of these two classes
// on its pages, so that their ticks and labels are replaced here, before the first draw.

const DAY = 86_400_000;
const format = (options) => new Intl.DateTimeFormat(undefined, options);
const clock = format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const seconds = format({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const date = format({ day: "numeric", month: "short" });
const moment = format({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

export const writeMoment = (ms) => moment.format(ms);
export const writeClock = (ms) => (Date.now() - ms < 12 * 3_600_000 ? clock : moment).format(ms);

const offset = (ms) => -new Date(ms).getTimezoneOffset() * 60_000;

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
  Bokeh.Models.get("DatetimeTickFormatter").prototype.doFormat = (ticks) => labels(ticks);
}
