import { DATABASE_VARIABLES } from "../world/postgres_client.ts";
import { CACHE_VARIABLES } from "./caches.ts";
import { STORE_VARIABLES } from "./store_place.ts";

/** The variables of the environment that the program may read: all that it is permitted. */
export const ENVIRONMENT = [...CACHE_VARIABLES, ...STORE_VARIABLES, ...DATABASE_VARIABLES] as const;
