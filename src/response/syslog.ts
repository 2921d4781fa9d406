/**
 * Alerts to a syslog server: one line each (RFC 5424) over TCP, each with its length before it (RFC
 * 6587 section 3.4.1). The server answers nothing, so that a line was handed over does not say that
 * it was kept. Whatever runs under systemd has its events in the journal without any channel.
 *
 * @module
 */
import { utf8 } from "../tlog/encoding.ts";
import { printable } from "../tlog/malformed.ts";
import { formatAddress } from "../world/address.ts";
import type { Address } from "../world/world.ts";
import type { Alert, AlertLevel } from "./alert.ts";
import { addressOf } from "./allowed_hosts.ts";
import { type Channel, type ChannelWorld, SEND_MS } from "./channel.ts";

/** RFC 5424 section 6.2.1: facility 3 is system daemons; and a severity for each level. */
const FACILITY = 3;
const SEVERITIES: Readonly<Record<AlertLevel, number>> = {
  EMERGENCY: 1,
  CRITICAL: 2,
  WARNING: 4,
  INFO: 6,
};
const SEVERITY_COUNT = 8;
/** RFC 5424 section 6.1 has every receiver take 2,048 bytes. */
const MAX_LINE_CHARACTERS = 500;

/** Makes the channel. */
export function syslogChannel(
  { world, name, least, allow, server }: {
    world: ChannelWorld;
    name: string;
    least: AlertLevel;
    allow: readonly string[];
    server: Address;
  },
): Channel {
  return {
    ...{ name, least, description: `syslog ${formatAddress(server)}` },
    leadsTo: formatAddress(server),
    async send(alert) {
      const { hostname, port } = server;
      const address = await addressOf(world, { hostname, allow, timeoutMs: SEND_MS });
      const line = utf8(syslogLine(alert));
      const to = { hostname: address ?? hostname, port };
      const connection = await world.network.connect(to, SEND_MS);
      // A server that does not read must not hold the others up.
      const timer = world.clock.after(SEND_MS, () => connection.close());
      try {
        await connection.write(utf8(`${line.length} `));
        await connection.write(line);
        await connection.closeWrite();
      } finally {
        timer.cancel();
        connection.close();
      }
    },
  };
}

/** An alert as one line of syslog, without its length and its end. */
export function syslogLine({ level, monitor, at, title, case: key, id }: Alert): string {
  const priority = FACILITY * SEVERITY_COUNT + SEVERITIES[level];
  const host = monitor.replace(/[^\x21-\x7e]/g, "_");
  const text = `${level} ${printable(title)} case=${JSON.stringify(printable(key))}`;
  const start = [...text].slice(0, MAX_LINE_CHARACTERS).join("");
  return `<${priority}>1 ${at} ${host} hearsay - ${id.slice(0, 32)} - ${start}`;
}
