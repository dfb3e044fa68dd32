import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIssue, formatTime } from './strftime.ts';
import { isTimeZone, ZoneClock } from './zoned-time.ts';

/** Made by timefmt-go 0.1.8, the library behind the Collector's `s3_partition_format`. */
const EXPECTED: readonly [unixMs: number, zone: string, format: string, text: string][] = [
  [
    1795280865123,
    'UTC',
    'year=%Y/month=%m/day=%d/hour=%H/minute=%M',
    'year=2026/month=11/day=21/hour=17/minute=07',
  ],
  [1795280865123, 'UTC', '%F %T %z', '2026-11-21 17:07:45 +0000'],
  [1795280865123, 'UTC', '%y %C %j %e|%k|%l|%I %p %P', '26 20 325 21|17| 5|05 PM pm'],
  [
    1795280865123,
    'UTC',
    '%A %a %B %b %h %^a %^B %#p %#b',
    'Saturday Sat November Nov Nov SAT NOVEMBER pm NOV',
  ],
  [1795280865123, 'UTC', '%G-W%V-%u %g %U %W %w', '2026-W47-6 26 46 46 6'],
  [1795280865123, 'UTC', '%-d/%-m/%-H %_d %_H %05d %3m %010Y', '21/11/17 21 17 00021 011 0000002026'],
  [1795280865123, 'UTC', '%c', 'Sat Nov 21 17:07:45 2026'],
  [1795280865123, 'UTC', '%r %R %x %X %D %v', '05:07:45 PM 17:07 11/21/26 17:07:45 11/21/26 21-Nov-2026'],
  [1795280865123, 'UTC', '%s %f %:z', '1795280865 123000 +00:00'],
  [1795280865123, 'UTC', '%% %n %t %q %', '% \n \t %q %'],
  [1795280865123, 'UTC', '%5Y %-j %_j %03e %^P', '02026 325 325 021 PM'],
  [1795280865123, 'UTC', '%10A|%-10A|%010a', '  Saturday|  Saturday|0000000Sat'],
  [
    1704067199999,
    'America/New_York',
    'year=%Y/month=%m/day=%d/hour=%H/minute=%M',
    'year=2023/month=12/day=31/hour=18/minute=59',
  ],
  [1704067199999, 'America/New_York', '%F %T %z', '2023-12-31 18:59:59 -0500'],
  [1704067199999, 'America/New_York', '%G-W%V-%u %g %U %W %w', '2023-W52-7 23 53 52 0'],
  [
    1704067199999,
    'America/New_York',
    '%r %R %x %X %D %v',
    '06:59:59 PM 18:59 12/31/23 18:59:59 12/31/23 31-Dec-2023',
  ],
  [1704067199999, 'America/New_York', '%s %f %:z', '1704067199 999000 -05:00'],
  [1735689600000, 'Europe/Berlin', '%s %f %:z', '1735689600 000000 +01:00'],
  [1072915200000, 'UTC', '%G-W%V-%u %g %U %W %w', '2004-W01-4 04 00 00 4'],
  [1709164800000, 'Asia/Kolkata', '%F %T %z', '2024-02-29 05:30:00 +0530'],
  [1709164800000, 'Asia/Kolkata', '%c', 'Thu Feb 29 05:30:00 2024'],
];

test('formats are those of the Collector', () => {
  for (const [unixMs, zone, format, text] of EXPECTED) {
    assert.equal(formatTime(new ZoneClock(zone).at(unixMs), format), text, `${format} in ${zone}`);
  }
});

test('the hour that comes twice keeps its offset apart', () => {
  const berlin = new ZoneClock('Europe/Berlin');
  const summer = Date.UTC(2026, 9, 25, 0, 30);
  assert.equal(formatTime(berlin.at(summer), '%H:%M %z'), '02:30 +0200');
  assert.equal(formatTime(berlin.at(summer + 3_600_000), '%H:%M %z'), '02:30 +0100');
});

test('Local is the zone of the machine', () => {
  const at = Date.UTC(2026, 10, 21, 17, 5);
  const { hour, offsetMinutes } = new ZoneClock('Local').at(at);
  assert.equal(hour, new Date(at).getHours());
  assert.equal(offsetMinutes, -new Date(at).getTimezoneOffset() + 0);
});

test('zones and formats that cannot be had are known before anything runs', () => {
  for (const name of ['', 'Local', 'UTC', 'Asia/Kolkata']) assert.ok(isTimeZone(name), name);
  assert.equal(isTimeZone('Mars/Olympus'), false);
  assert.equal(formatIssue('%Y/%m'), undefined);
  assert.match(formatIssue('%Y %Z')!, /names of time zones/);
});
