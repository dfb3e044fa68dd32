/**
 * A host whose name another machine gets: a preloaded library answers for the name, and two addresses of this machine
 * stand for the two. It answers where the resolver of the C library would, so the program under test knows nothing of it.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../engine-process.ts';

const SHIM = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
typedef int (*resolve_t)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
  static resolve_t next;
  if (!next) next = (resolve_t)dlsym(RTLD_NEXT, "getaddrinfo");
  const char *name = getenv("MOVING_HOST"), *path = getenv("MOVING_HOST_FILE");
  if (!node || !name || !path || strcmp(node, name) != 0) return next(node, service, hints, found);
  char address[64] = "";
  FILE *file = fopen(path, "r");
  if (file) {
    if (fscanf(file, "%63s", address) != 1) address[0] = 0;
    fclose(file);
  }
  if (strcmp(address, "nowhere") == 0) return EAI_NONAME;
  if (strcmp(address, "silent") == 0) return EAI_AGAIN;
  return next(address, service, hints, found);
}
`;

const ADDRESSES = ['127.0.0.1', '127.0.0.2'] as const;

export type HostPlace = 'first' | 'second' | 'nowhere' | 'silent';

export class MovingHost {
  readonly name = 'moving-host.test';
  readonly port: number;
  /** Of the program that looks for the name. */
  readonly env: Record<string, string>;
  readonly #file: string;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  /** Connections so far, by address. */
  readonly connections = [0, 0];
  #target = 0;
  #isFirstDead = false;

  private constructor(port: number, file: string, library: string) {
    this.port = port;
    this.#file = file;
    this.env = { LD_PRELOAD: library, MOVING_HOST: this.name, MOVING_HOST_FILE: file };
  }

  /** @returns undefined without a C compiler. */
  static async start(directory: string): Promise<MovingHost | undefined> {
    const [source, library] = [join(directory, 'names.c'), join(directory, 'names.so')];
    writeFileSync(source, SHIM);
    try {
      if (process.platform !== 'linux')
        throw new Error('names are answered for by the dynamic linker of Linux');
      execFileSync('cc', ['-shared', '-fPIC', '-o', library, source, '-ldl'], { stdio: 'ignore' });
    } catch {
      return undefined;
    }
    const host = new MovingHost(await freePort(), join(directory, 'address'), library);
    for (const index of [0, 1] as const) {
      const server = createServer((client) => host.#join(client, index));
      host.#servers.push(server.listen(host.port, ADDRESSES[index]));
      await once(server, 'listening');
    }
    host.move('nowhere');
    return host;
  }

  /** Port of this machine where connections to both addresses end. */
  forwardTo(port: number): void {
    this.#target = port;
  }

  move(place: HostPlace): void {
    const address = place === 'first' ? ADDRESSES[0] : place === 'second' ? ADDRESSES[1] : place;
    writeFileSync(this.#file, address);
  }

  /** The first machine is switched off: its connections stay open, and nobody is at the other end. */
  killFirst(): void {
    this.#isFirstDead = true;
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) server.close();
  }

  #join(client: Socket, index: 0 | 1): void {
    this.connections[index]! += 1;
    const server = connect(this.#target, ADDRESSES[0]);
    const isDead = () => index === 0 && this.#isFirstDead;
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => isDead() || other.write(bytes));
      socket.on('close', () => {
        this.#sockets.delete(socket);
        if (!isDead()) other.destroy();
      });
    }
  }
}
