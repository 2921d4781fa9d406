/**
 * Alerts by a command: a program of this machine gets the alert's JSON on its standard input. There
 * is no shell, and nothing of the alert is an argument, so no text of it can become a command.
 *
 * @module
 */
import { utf8 } from "../tlog/encoding.ts";
import { printable, quoted } from "../tlog/malformed.ts";
import { WorldError } from "../world/world.ts";
import { type AlertLevel, formatAlert } from "./alert.ts";
import { type Channel, type ChannelWorld, SEND_MS } from "./channel.ts";

const MAX_SAID_CHARACTERS = 200;

/** Makes the channel. */
export function commandChannel(
  { world, name, least, argv }: {
    world: ChannelWorld;
    name: string;
    least: AlertLevel;
    argv: readonly string[];
  },
): Channel {
  const [program] = argv as [string];
  return {
    ...{ name, least, description: `command ${printable(program)}` },
    leadsTo: JSON.stringify(argv),
    async send(alert) {
      const input = utf8(`${formatAlert(alert)}\n`);
      const { code, said } = await world.commands.run({ argv, input, timeoutMs: SEND_MS });
      if (code === 0) return;
      const words = said === "" ? "" : `: ${quoted(said.slice(0, MAX_SAID_CHARACTERS).trim())}`;
      throw new WorldError("other", `${printable(program)} ended with ${code}${words}`);
    },
  };
}
