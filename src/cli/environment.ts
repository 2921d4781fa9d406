import { CACHE_VARIABLES } from "./caches.ts";
import { STORE_VARIABLES } from "./store_place.ts";

/** The variables of the environment that the program may read: all that it is permitted. */
export const ENVIRONMENT = [...CACHE_VARIABLES, ...STORE_VARIABLES] as const;
