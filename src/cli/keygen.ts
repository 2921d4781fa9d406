import { utf8 } from "../tlog/encoding.ts";
import { quoted } from "../tlog/malformed.ts";
import { createDurably } from "../world/durable.ts";
import { generateSigner } from "../world/signer.ts";
import { WorldError } from "../world/world.ts";
import { type Command, EXIT, readOptions, UsageError } from "./command.ts";

/** Only the owner may read a private key. */
export const KEY_PERMISSIONS = 0o600;

/** `hearsay keygen`: makes the key of a monitor. */
export const keygen: Command = {
  name: "keygen",
  summary: "make a key that signs this monitor's conflict records",
  help: `hearsay keygen NAME [--out FILE]

Makes an Ed25519 key for a monitor, in the format of Go's note package, and prints its vkey, which
is public. The private key is written to FILE, which only you can read (default NAME.key, with
dashes for slashes). A file that exists is never overwritten.

Example:
  hearsay keygen monitor.example.com/ber --out monitor.key
`,
  async run(args, { world, terminal }) {
    const options = readOptions(args, { values: ["out"], operands: ["NAME"] });
    const [name] = options.operands as [string];
    const { signer, privateKey } = await generateSigner({ world, name });
    const path = options.value("out") ?? `${name.replaceAll(/[/\\]/g, "-")}.key`;
    try {
      const content = utf8(privateKey + "\n");
      const permissions = KEY_PERMISSIONS;
      (await createDurably({ files: world.files, path, content, permissions })).close();
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      if (error.kind === "already exists") {
        throw new UsageError(
          `${quoted(path)} exists, and a key is never overwritten; name another file with --out`,
        );
      }
      throw new WorldError(error.kind, `cannot write ${quoted(path)}: ${error.message}`);
    }
    terminal.out(signer.vkey.text);
    terminal.err(`The private key is in ${path}. Keep it secret.`);
    return EXIT.ok;
  },
};
