import { DareRefused } from "../swarm/dare.ts";
import { sealChunks } from "../swarm/sealed_file.ts";
import { printable, quoted } from "../tlog/malformed.ts";
import { type Command, EXIT, readOptions, UsageError } from "./command.ts";
import { openRegular } from "./inputs.ts";
import { Passphrases } from "./passphrase.ts";
import { chunksOf, expectFree, SEALED_ENDING, SEALING_OPTIONS, writeOut } from "./sealing.ts";

/** `hearsay seal`: seals a file under a passphrase. */
export const seal: Command = {
  name: "seal",
  summary: "seal a file under a passphrase: a key, or what you keep or send",
  help: `hearsay seal FILE [--out FILE] [--passphrase-file FILE] [--overwrite]

Encrypts FILE under a passphrase, so that nobody can read or change it without. It is written to a new
file that only you can read; FILE stays as it is. The format is that of ncrypt (github.com/minio/sio):
DARE 2.0, with a key that scrypt makes of the passphrase. 'hearsay open' opens it, and so does ncrypt.

A sealed key need not be opened: every command that loads a key asks for the passphrase.

  --out FILE              where to write (default FILE${SEALED_ENDING})
  --passphrase-file FILE  the passphrase is the first line of FILE. Without it the terminal asks, twice
  --overwrite             write in the place of a file that is there, which may be FILE itself

Example:
  hearsay seal monitor.key --out monitor.key --overwrite
`,
  async run(args, { world, terminal }) {
    const options = readOptions(args, SEALING_OPTIONS);
    const [path] = options.operands as [string];
    const out = options.value("out") ?? path + SEALED_ENDING;
    const file = await openRegular(world, path);
    try {
      await expectFree({ world, out, options });
      const passphrase = await new Passphrases({ world, terminal, options }).toSeal(path);
      const chunks = sealChunks({ chunks: chunksOf(file, path), passphrase, world });
      await writeOut({ world, out, options, chunks });
    } catch (error) {
      if (!(error instanceof DareRefused && error.fault === "empty")) throw error;
      throw new UsageError(`${quoted(path)} is empty, and there is nothing to seal`);
    } finally {
      file.close();
    }
    terminal.out(printable(`${path} is sealed in ${out}`));
    return EXIT.ok;
  },
};
