import { MalformedError, quoted } from "../tlog/malformed.ts";
import type { Address } from "./world.ts";

const MAX_PORT = 65_535;

/**
 * Reads `HOST:PORT`, with an IPv6 address in brackets: `192.0.2.1:9900`, `[::1]:9900`.
 * @throws MalformedError for anything else
 */
export function parseAddress(text: string): Address {
  const match = /^(?:\[([0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)\]|([^:[\]\s]+)):(0|[1-9]\d{0,4})$/.exec(text);
  const port = Number(match?.[3]);
  const hostname = match?.[1] ?? match?.[2];
  if (hostname === undefined || port > MAX_PORT) {
    throw new MalformedError(
      `Cannot read address ${
        quoted(text)
      }: expected HOST:PORT, such as 127.0.0.1:9900 or [::1]:9900`,
    );
  }
  return { hostname, port };
}

/** Whether two addresses, each of which may be none, are the same. */
export function isSameAddress(one: Address | undefined, other: Address | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return formatAddress(one) === formatAddress(other);
}

/** An address as `parseAddress` reads it. */
export function formatAddress({ hostname, port }: Address): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
