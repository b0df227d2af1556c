// Putting a session away, taking it out again, deleting it for good.

import { sessionUrl } from "./client";
import { done, withMethod } from "./requests";

export const archiveSession = (id: string) => done(`${sessionUrl(id)}/archive`, { method: "POST" });
export const unarchiveSession = (id: string) => done(`${sessionUrl(id)}/unarchive`, { method: "POST" });
export const deleteSession = (id: string) => done(sessionUrl(id), withMethod("DELETE"));
