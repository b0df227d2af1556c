// Pictures that go with a message: pasted, dropped or picked; uploaded at once, so that sending only names them.

import { ImageOff, LoaderCircle, X } from "lucide-react";
import { useCallback, useEffect, useRef, useState } from "react";
import { asProblem, type Problem } from "../api/client";
import { IMAGE_TYPES, MAX_IMAGES, sessionImageUrl, uploadImage } from "../api/messages";
import type { ImageRef } from "../api/types";
import { newId } from "../state/ids";
import { useSession } from "../state/session-context";

export interface Attached {
  key: string;
  /** Of this browser's memory, to be shown before anything else has it. */
  url: string;
  ref: ImageRef | null;
  problem: Problem | null;
}

export interface Attachments {
  items: Attached[];
  /** Takes the pictures among the files; true when there were any. */
  add: (files: Iterable<File>) => boolean;
  remove: (key: string) => void;
  clear: () => void;
  /** A plain sentence where something was not taken. */
  note: string;
  uploading: boolean;
  /** A picture was refused: it has to be removed before the message goes out without it. */
  failed: boolean;
  ids: string[];
}

export function useAttachments(): Attachments {
  const [items, setItems] = useState<Attached[]>([]);
  const [note, setNote] = useState("");
  const held = useRef(items);
  const gone = useRef(new AbortController());
  useEffect(() => {
    held.current = items;
  }, [items]);
  useEffect(() => {
    gone.current = new AbortController();
    const { current } = gone;
    return () => {
      current.abort();
      for (const item of held.current) URL.revokeObjectURL(item.url);
    };
  }, []);

  const change = useCallback((key: string, to: Partial<Attached>) => {
    setItems((list) => list.map((one) => (one.key === key ? { ...one, ...to } : one)));
  }, []);

  const add = useCallback(
    (files: Iterable<File>) => {
      const all = [...files].filter((file) => file.type.startsWith("image/"));
      const fit = all.filter((file) => IMAGE_TYPES.includes(file.type));
      const taken = fit.slice(0, Math.max(0, MAX_IMAGES - held.current.length));
      setNote(
        fit.length < all.length
          ? "Only PNG, JPEG and WebP pictures can be sent."
          : taken.length < fit.length
            ? `A message takes ${MAX_IMAGES} pictures.`
            : "",
      );
      const added = taken.map((file) => ({ key: newId(), url: URL.createObjectURL(file), ref: null, problem: null }));
      held.current = [...held.current, ...added];
      setItems(held.current);
      for (const [index, file] of taken.entries()) {
        const key = added[index]?.key ?? "";
        uploadImage(file, gone.current.signal).then(
          (ref) => change(key, { ref }),
          (error: unknown) => {
            if (!gone.current.signal.aborted) change(key, { problem: asProblem(error) });
          },
        );
      }
      return all.length > 0;
    },
    [change],
  );

  const remove = useCallback((key: string) => {
    setNote("");
    setItems((list) => {
      const item = list.find((one) => one.key === key);
      if (item) URL.revokeObjectURL(item.url);
      return list.filter((one) => one.key !== key);
    });
  }, []);

  const clear = useCallback(() => {
    setNote("");
    setItems((list) => {
      for (const item of list) URL.revokeObjectURL(item.url);
      return [];
    });
  }, []);

  return {
    items,
    add,
    remove,
    clear,
    note,
    uploading: items.some((item) => item.ref === null && item.problem === null),
    failed: items.some((item) => item.problem !== null),
    ids: items.flatMap((item) => (item.ref ? [item.ref.id] : [])),
  };
}

export function AttachmentList({ attachments }: { attachments: Attachments }) {
  const { items, remove } = attachments;
  if (items.length === 0) return null;
  return (
    <ul className="attached" aria-label="Pictures of the message">
      {items.map((item, index) => (
        <li key={item.key} data-state={item.problem ? "failed" : item.ref ? "ready" : "uploading"}>
          <img src={item.url} alt={`Number ${index + 1}`} />
          {item.problem ? (
            <span title={item.problem.message}>
              <ImageOff size={16} aria-hidden />
            </span>
          ) : (
            item.ref === null && <LoaderCircle size={16} className="spin" aria-label="Uploading" />
          )}
          <button type="button" aria-label={`Remove picture ${index + 1}`} onClick={() => remove(item.key)}>
            <X size={12} aria-hidden />
          </button>
        </li>
      ))}
      {items.map((item) =>
        item.problem ? (
          <li key={`p${item.key}`} className="attached-problem" role="alert">
            {item.problem.message} {item.problem.nextAction}
          </li>
        ) : null,
      )}
    </ul>
  );
}

/** Pictures of a message that was sent. */
export function SentImages({ images }: { images: ImageRef[] | undefined }) {
  const session = useSession((one) => one.progress.session_id);
  if (!images || images.length === 0) return null;
  return (
    <span className="sent-images">
      {images.map((image, index) => (
        <a key={image.id} href={sessionImageUrl(session, image.id)} target="_blank" rel="noreferrer noopener">
          <img
            src={sessionImageUrl(session, image.id)}
            width={image.width}
            height={image.height}
            alt={`Number ${index + 1} of the message`}
            loading="lazy"
          />
        </a>
      ))}
    </span>
  );
}
