import type { Log } from "../tlog/log.ts";
import type { Parts } from "./assembly.ts";
import type { CosignedStatus } from "./status.ts";

/**
 * Who has cosigned the checkpoints of a log, why a witness could not be asked itself, and the cases
 * about each; nothing if no policy says who should cosign.
 */
export function cosignedStatus(
  { cosignatures, witnessViews, common: { keeper, gate } }: Pick<
    Parts,
    "cosignatures" | "witnessViews" | "common"
  >,
  log: Log,
): { cosigned?: CosignedStatus } {
  const status = cosignatures.status(
    log,
    keeper.judge.latest(log),
    (size) => gate.accepts(log, size),
  );
  if (status === undefined) return {};
  const witnesses = status.witnesses.map((witness) => {
    const cosigner = log.cosigners.all.find(({ vkey }) => vkey.text === witness.vkey);
    const incidents = cosigner === undefined ? 0 : keeper.cases(cosigner).length;
    const failing = witnessViews.failing(log, witness);
    return {
      ...witness,
      ...(failing !== undefined && { failing }),
      ...(incidents > 0 && { incidents }),
    };
  });
  return { cosigned: { ...status, witnesses } };
}
