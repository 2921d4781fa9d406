import { formatCheckpointText } from "../tlog/checkpoint.ts";
import { formatNote } from "../tlog/note.ts";
import { readTreeHead } from "../tlog/tree_head.ts";
import { SIGNATURE_TYPE } from "../tlog/vkey.ts";
import { openNote } from "./found.ts";
import type { JsonKind } from "./kinds.ts";

/**
 * An answer to `get-sth` of RFC 6962. It does not name its log, so it is the log's under whose key
 * it verifies (RULES S4).
 */
export const signedTreeHead: JsonKind = {
  name: "RFC 6962 tree heads",
  recognizes: (object) =>
    Object.hasOwn(object, "sha256_root_hash") && Object.hasOwn(object, "tree_head_signature"),
  read(object, { logs, where }) {
    const { treeSize, rootHash, signature } = readTreeHead(object);
    for (const log of logs.filter(({ vkey }) => vkey.type === SIGNATURE_TYPE.rfc6962)) {
      const text = formatCheckpointText({ origin: log.origin, treeSize, rootHash });
      const note = formatNote({ text, vkey: log.vkey, signature });
      const found = openNote({ note, source: where, logs });
      if (found.kind === "checkpoint") return [found];
    }
    const detail = `tree head of size ${treeSize}: it verifies under no known key of type 0x05`;
    return [{ kind: "rejected", reason: "unknown log", detail }];
  },
};
