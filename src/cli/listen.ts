import { exchangeAcceptor } from "../gossip/callee.ts";
import { formatAddress, parseAddress } from "../world/address.ts";
import { WorldError } from "../world/world.ts";
import { type Command, readOptions } from "./command.ts";
import { GOSSIP_HELP, GOSSIP_OPTIONS, startKeeper, tellCaps } from "./gossip_options.ts";
import { exitCodeOf } from "./reporting.ts";

const DEFAULT_ADDRESS = "127.0.0.1:9900";

/** `hearsay listen`: answers exchanges. */
export const listen: Command = {
  name: "listen",
  summary: "answer exchanges: compare checkpoints with everyone who connects",
  help:
    `hearsay listen [--address HOST:PORT] --log LOG… [--have FILE|DIR…] [--key FILE] [--incidents DIR]

Waits for other monitors and compares checkpoints with each. Prints a line for every frame. Records
a conflict before anybody is told of it. Ends on SIGINT or SIGTERM. Exit code 1 if a log was shown
to have signed two roots, 3 if that could not be recorded, otherwise 0.

  --address HOST:PORT  the address to listen on (default ${DEFAULT_ADDRESS})
${GOSSIP_HELP}

Example:
  hearsay listen --log "$LOG" --have checkpoint.txt --key monitor.key
`,
  async run(args, { world, terminal }) {
    const options = readOptions(args, {
      ...GOSSIP_OPTIONS,
      values: [...GOSSIP_OPTIONS.values, "address"],
    });
    const address = parseAddress(options.value("address") ?? DEFAULT_ADDRESS);
    const { keeper, tally } = await startKeeper({ world, terminal, options });
    try {
      let listener;
      try {
        listener = world.network.listen(address);
      } catch (error) {
        if (!(error instanceof WorldError)) throw error;
        const at = formatAddress(address);
        throw new WorldError(error.kind, `cannot listen on ${at}: ${error.message}`);
      }
      const acceptor = exchangeAcceptor({ party: keeper.party, listener });
      terminal.onStop(() => acceptor.close());
      const ready = { event: "listening", address: formatAddress(listener.address) };
      if (options.flag("json")) terminal.out(JSON.stringify(ready));
      else terminal.out(`listening on ${ready.address}`);
      await acceptor.run();
      tellCaps({ keeper, terminal });
    } finally {
      terminal.release();
      await keeper.close();
    }
    return exitCodeOf(tally);
  },
};
