/** Wall-clock fields of a moment in a time zone. */

export interface ZonedTime {
  year: number;
  /** 1 to 12. */
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  /** Of the second. */
  microsecond: number;
  /** East of UTC. */
  offsetMinutes: number;
  unixSeconds: number;
}

/** @returns false for what is neither empty, `Local`, `UTC` nor an IANA name. */
export function isTimeZone(name: string): boolean {
  if (name === '' || name === 'Local') return true;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** Reads moments in one zone. */
export class ZoneClock {
  readonly #format: Intl.DateTimeFormat;
  /** What was read last: formatting takes longer than all else about a key, and a second has many objects. */
  #last: ZonedTime | undefined;

  /** @param name `Local` and nothing mean the zone of the machine. */
  constructor(name: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      ...(name === '' || name === 'Local' ? {} : { timeZone: name }),
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      ...{ year: 'numeric', month: 'numeric', day: 'numeric' },
      ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
    });
  }

  at(unixMs: number): ZonedTime {
    const unixSeconds = Math.floor(unixMs / 1000);
    if (this.#last?.unixSeconds !== unixSeconds) this.#last = this.#read(unixSeconds);
    return { ...this.#last, microsecond: Math.floor((unixMs - unixSeconds * 1000) * 1000) };
  }

  #read(unixSeconds: number): ZonedTime {
    const fields = new Map<string, number>();
    for (const { type, value } of this.#format.formatToParts(unixSeconds * 1000))
      fields.set(type, Number(value));
    const [year, month, day] = ['year', 'month', 'day'].map((type) => fields.get(type)!) as Triple;
    const [hour, minute, second] = ['hour', 'minute', 'second'].map((type) => fields.get(type)!) as Triple;
    const wallSeconds = Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
    return {
      ...{ year, month, day, hour, minute, second },
      microsecond: 0,
      offsetMinutes: Math.round((wallSeconds - unixSeconds) / 60),
      unixSeconds,
    };
  }
}

type Triple = [number, number, number];
