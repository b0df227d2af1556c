// Pictures that one uploaded, by their id, before any session shows them.

export const MOST_IMAGE_BYTES = 10 * 1024 * 1024;

export const imageUrl = (id: string) => `/api/images/${encodeURIComponent(id)}`;
