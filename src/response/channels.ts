/**
 * Makes the channels of a configuration.
 *
 * @module
 */
import type { Channel, ChannelWorld } from "./channel.ts";
import { commandChannel } from "./command.ts";
import { mailChannel } from "./mail.ts";
import type { AlertSettings, ChannelSettings } from "./settings.ts";
import { syslogChannel } from "./syslog.ts";
import { webhookChannel } from "./webhook.ts";

/** The channels of a configuration. Nothing is opened or sent. */
export function channelsOf(world: ChannelWorld, settings: AlertSettings): Channel[] {
  const { channels, allow } = settings;
  return channels.map((one) => channelOf(world, one, allow));
}

function channelOf(
  world: ChannelWorld,
  settings: ChannelSettings,
  allow: readonly string[],
): Channel {
  const { name, least } = settings;
  switch (settings.kind) {
    case "webhook":
      return webhookChannel({ world, name, least, allow, settings: settings.webhook });
    case "mail":
      return mailChannel({ world, name, least, allow, settings: settings.mail });
    case "command":
      return commandChannel({ world, name, least, argv: settings.argv });
    case "syslog":
      return syslogChannel({ world, name, least, allow, server: settings.server });
  }
}
