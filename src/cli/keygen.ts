import { sealShort } from "../swarm/sealed_file.ts";
import { utf8 } from "../tlog/encoding.ts";
import { quoted } from "../tlog/malformed.ts";
import { createDurably, isThere } from "../world/durable.ts";
import { generateSigner } from "../world/signer.ts";
import { type World, WorldError } from "../world/world.ts";
import { PASSPHRASE_FILE, Passphrases } from "./passphrase.ts";
import type { Terminal } from "./terminal.ts";
import { type Command, EXIT, type Options, readOptions, UsageError } from "./command.ts";

/** Only the owner may read a private key. */
export const KEY_PERMISSIONS = 0o600;

/** `hearsay keygen`: makes the key of a monitor. */
export const keygen: Command = {
  name: "keygen",
  summary: "make a key that signs this monitor's conflict records",
  help: `hearsay keygen NAME [--out FILE] [--seal [--passphrase-file FILE]]

Makes an Ed25519 key for a monitor, in the format of Go's note package, and prints its vkey, which
is public. The private key is written to FILE, which only you can read (default NAME.key, with
dashes for slashes). A file that exists is never overwritten.

  --out FILE              where to write the private key
  --seal                  seal it under a passphrase, as 'hearsay seal' does: it is never on the disk as
                          it is
  --passphrase-file FILE  the passphrase is the first line of FILE. Without it the terminal asks, twice

Example:
  hearsay keygen monitor.example.com/ber --out monitor.key
`,
  async run(args, { world, terminal }) {
    const options = readOptions(args, {
      values: ["out", PASSPHRASE_FILE],
      flags: ["seal"],
      operands: ["NAME"],
    });
    const [name] = options.operands as [string];
    const isSealed = options.flag("seal");
    if (!isSealed && options.value(PASSPHRASE_FILE) !== undefined) {
      throw new UsageError(`--${PASSPHRASE_FILE} needs --seal`);
    }
    const { signer, privateKey } = await generateSigner({ world, name });
    const path = options.value("out") ?? `${name.replaceAll(/[/\\]/g, "-")}.key`;
    try {
      if (await isThere(world.files, path)) throw new WorldError("already exists", "it exists");
      const text = utf8(privateKey + "\n");
      const content = isSealed ? await sealed({ world, terminal, options, path, text }) : text;
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
    terminal.err(`The private key is in ${path}${isSealed ? ", sealed" : ""}. Keep it secret.`);
    return EXIT.ok;
  },
};

/** A key as it is on the disk if it is sealed. Asks for the passphrase. */
async function sealed({ world, terminal, options, path, text }: {
  world: World;
  terminal: Terminal;
  options: Options;
  path: string;
  text: Uint8Array;
}): Promise<Uint8Array> {
  const passphrase = await new Passphrases({ world, terminal, options }).toSeal(path);
  return await sealShort({ plaintext: text, passphrase, random: world.random });
}
