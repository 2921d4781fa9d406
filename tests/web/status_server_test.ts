import { assertEquals } from "@std/assert";
import { ask, pageOf } from "./page_of.ts";

/** The status of the answer to a caller who names this host. */
async function asked(host: string | undefined, hostname = "127.0.0.1"): Promise<number> {
  const headers = host === undefined ? {} : { host };
  return (await ask(pageOf({}), "/status", { hostname, headers })).status;
}

/** Hosts, where the port is configured to listen, and the answer. */
const HOSTS: readonly [host: string | undefined, hostname: string, status: number][] = [
  ["localhost:9980", "127.0.0.1", 200],
  ["LocalHost", "127.0.0.1", 200],
  ["127.0.0.1:9980", "127.0.0.1", 200],
  ["127.0.0.1:8000", "127.0.0.1", 200],
  ["127.1.2.3", "127.0.0.1", 200],
  ["[::1]:9980", "::1", 200],
  ["evil.example", "127.0.0.1", 421],
  ["evil.example:9980", "0.0.0.0", 421],
  ["localhost.evil.example", "127.0.0.1", 421],
  ["127.0.0.1.evil.example", "127.0.0.1", 421],
  ["evil-localhost", "127.0.0.1", 421],
  ["", "127.0.0.1", 421],
  [undefined, "127.0.0.1", 421],
  ["192.0.2.7:9980", "127.0.0.1", 421],
  ["192.0.2.7:9980", "192.0.2.7", 200],
  ["192.0.2.7:9980", "0.0.0.0", 200],
  ["[2001:db8::7]:9980", "::", 200],
  ["[2001:DB8::7]:9980", "2001:db8::7", 200],
  ["monitor.example:9980", "monitor.example", 200],
];

for (const [host, hostname, status] of HOSTS) {
  Deno.test(`status port at ${hostname}: a request for host ${host} is answered ${status}`, async () => {
    assertEquals(await asked(host, hostname), status);
  });
}
