/** A clock that goes wrong for one program: a preloaded library moves the time of day and leaves the monotonic clock alone. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SHIM = `
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long offset(void) {
  const char *text = getenv("CLOCK_OFFSET_S");
  return text ? atol(text) : 0;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
  int result = syscall(SYS_clock_gettime, clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += offset();
  return result;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec exact;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &exact) != 0) return -1;
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}
time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}
`;

/** @returns the environment of a program that lives `offsetS` seconds from now; undefined without a C compiler. */
export function wrongClock(directory: string, offsetS: number): Record<string, string> | undefined {
  const source = join(directory, 'clock.c');
  const library = join(directory, 'clock.so');
  writeFileSync(source, SHIM);
  try {
    if (process.platform !== 'linux') throw new Error('clocks are moved by the dynamic linker of Linux');
    execFileSync('cc', ['-shared', '-fPIC', '-o', library, source], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  return { LD_PRELOAD: library, CLOCK_OFFSET_S: String(offsetS) };
}
