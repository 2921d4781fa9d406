import { callPeer, ExchangeFailed } from "../gossip/caller.ts";
import { printable } from "../tlog/malformed.ts";
import { exchangeRound } from "../gossip/round.ts";
import { formatAddress, parseAddress } from "../world/address.ts";
import { type Command, EXIT, readOptions } from "./command.ts";
import { GOSSIP_HELP, GOSSIP_OPTIONS, startKeeper, tellCaps } from "./gossip_options.ts";
import { exitCodeOf } from "./reporting.ts";

/** `hearsay exchange`: one exchange with one peer. */
export const exchange: Command = {
  name: "exchange",
  summary: "compare checkpoints with one peer, once",
  help: `hearsay exchange HOST:PORT --log LOG… [--have FILE|DIR…] [--key FILE] [--incidents DIR]

Sends the latest checkpoint of every log to a peer, and judges its answers. Exit code 0 if nothing
contradicts; 1 if a log was shown to have signed two roots, even if the exchange failed later; 3 if
the peer could not be reached or gave a wrong answer.

${GOSSIP_HELP}

Example:
  hearsay exchange peer.example.com:9900 --log "$LOG" --have checkpoint.txt --key monitor.key
`,
  async run(args, { world, terminal }) {
    const options = readOptions(args, { ...GOSSIP_OPTIONS, operands: ["HOST:PORT"] });
    const address = parseAddress(options.operands[0]!);
    const { keeper, tally } = await startKeeper({ world, terminal, options });
    try {
      const { judge, party } = keeper;
      const isLong = judge.logs.some((log) => judge.latest(log)?.fitsFrame === false);
      // Frames are enough, unless a checkpoint fits in no frame.
      const round = isLong ? await exchangeRound({ party, callee: address }) : undefined;
      if (round === undefined) await callPeer({ party, callee: address });
      if (round?.fault !== undefined) throw new ExchangeFailed(formatAddress(address), round.fault);
      tellCaps({ keeper, terminal });
    } catch (error) {
      // What was proven stays proven, even if the exchange failed.
      if (!(error instanceof ExchangeFailed) || exitCodeOf(tally) !== EXIT.proven) throw error;
      terminal.err(printable(error.message));
    } finally {
      await keeper.close();
    }
    return exitCodeOf(tally);
  },
};
