/** Sealed files are exchanged with ncrypt of github.com/minio/sio, both ways. */
import { assertEquals } from "@std/assert";
import { put, runAtFullCost as run } from "../cli/harness.ts";
import { build, interopTest, shell } from "./go.ts";

const NCRYPT = await build("github.com/minio/sio/cmd/ncrypt@v0.4.1");

const PASSPHRASE = "correct horse, battery ßtaple";

/** Sizes on both sides of a package's limit, and one of several packages. */
const SIZES = [1, 100, 65_535, 65_536, 65_537, 131_072, 400_000];

function content(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 13 + (i >> 9)) & 0xff);
}

function passphrase(folder: string): string[] {
  return ["--passphrase-file", put(folder, "passphrase", `${PASSPHRASE}\n`)];
}

for (const cipher of ["AES256", "C20P1305"]) {
  interopTest(
    NCRYPT,
    `ncrypt: Hearsay opens what it seals with ${cipher}`,
    async (ncrypt, folder) => {
      for (const size of SIZES) {
        const path = put(folder, "file", content(size));
        const line = '"$1" -cipher "$2" -p "$3" "$4" "$4.ncrypt"';
        const sealed = await shell(line, ncrypt, cipher, PASSPHRASE, path);
        assertEquals([sealed.code, sealed.err], [0, ""]);
        const opening = ["open", `${path}.ncrypt`, "--out", `${path}.opened`, "--overwrite"];
        const opened = await run(...opening, ...passphrase(folder));
        assertEquals([size, opened.code], [size, 0], opened.err.join("\n"));
        assertEquals(Deno.readFileSync(`${path}.opened`), content(size));
      }
    },
  );
}

interopTest(
  NCRYPT,
  "ncrypt: it opens what Hearsay seals, and nothing else",
  async (ncrypt, folder) => {
    const open = 'rm -f "$3.opened"; "$1" -d -p "$2" "$3" "$3.opened"';
    for (const size of SIZES) {
      const path = put(folder, "file", content(size));
      const sealed = await run("seal", path, "--overwrite", ...passphrase(folder));
      assertEquals(sealed.code, 0, sealed.err.join("\n"));
      const opened = await shell(open, ncrypt, PASSPHRASE, `${path}.sealed`);
      assertEquals([size, opened.code, opened.err], [size, 0, ""]);
      assertEquals(Deno.readFileSync(`${path}.sealed.opened`), content(size));
    }
    const path = `${folder}/file.sealed`;
    assertEquals((await shell(open, ncrypt, "another", path)).code, 1);
    Deno.truncateSync(path, Deno.statSync(path).size - 1);
    assertEquals((await shell(open, ncrypt, PASSPHRASE, path)).code, 1);
  },
);
