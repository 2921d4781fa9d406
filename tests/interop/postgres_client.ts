/** A program that connects to the shared database that its argument names, and prints who it is there. */
import { denoWorld } from "../../src/world/deno.ts";

if (import.meta.main) {
  const database = await denoWorld().sharedDatabases.connect({ url: Deno.args[0]! });
  const [row] = await database.query(
    "select session_user || ' ' || current_database() || ' ' || current_setting('application_name') as who",
  );
  console.log(row!.who);
  await database.close();
}
