/**
 * The words by which sites wake one another: what is new, and who put it into the store.
 *
 * @module
 */
import type { SharedDatabase } from "../world/shared_database.ts";
import type { SharedSite, StoreEars, StoreNews } from "./shared_types.ts";

/** Where the words are told. */
export const CHANNEL = "hearsay";

const NEWS: readonly StoreNews[] = ["heads", "looks", "leases"];

/** The word that says that a site has put something into the store. */
export function wordOf(news: StoreNews, { vkey }: Pick<SharedSite, "vkey">): string {
  return `${news} ${vkey}`;
}

/** Hears the words of other sites. Words that this version does not know are left out. @throws WorldError */
export async function listenTo(
  db: SharedDatabase,
  site: SharedSite,
  ears: StoreEars,
): Promise<void> {
  await db.listen(CHANNEL, {
    onWord(word) {
      const news = NEWS.find((known) => word.startsWith(`${known} `));
      if (news !== undefined && word !== wordOf(news, site)) ears.onNews(news);
    },
    onGap: () => ears.onGap(),
  });
}
