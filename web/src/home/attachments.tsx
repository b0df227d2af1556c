// Pictures of a prompt: pasted, dropped or picked; uploaded at once, so that the prompt can be sent at once.

import { ImagePlus, LoaderCircle, X } from "lucide-react";
import { useEffect, useRef, useState, type ClipboardEvent, type DragEvent } from "react";
import { asProblem, Problem } from "../api/client";
import { imageUrl, MOST_IMAGE_BYTES } from "../api/images";
import { IMAGE_TYPES, MAX_IMAGES, uploadImage } from "../api/messages";
import type { ImageRef } from "../api/types";
import { IconButton, ProblemNote } from "../ui/parts";

interface Options {
  images: ImageRef[];
  change: (change: (images: ImageRef[]) => ImageRef[]) => void;
}

export interface Attachments {
  uploading: number;
  error: unknown;
  add: (files: Iterable<File>) => void;
  remove: (id: string) => void;
  onPaste: (event: ClipboardEvent) => void;
  onDrop: (event: DragEvent) => void;
}

const refusal = (detail: string, next: string) =>
  new Problem({ status: 0, code: "bad_image", detail, next_action: next, request_id: "" });

export function useAttachments({ images, change }: Options): Attachments {
  const [uploading, setUploading] = useState(0);
  const [error, setError] = useState<unknown>(null);

  const upload = async (file: File) => {
    setUploading((count) => count + 1);
    try {
      const image = await uploadImage(file);
      change((before) => [...before.filter((one) => one.id !== image.id), image].slice(0, MAX_IMAGES));
    } catch (failure) {
      setError(asProblem(failure));
    } finally {
      setUploading((count) => count - 1);
    }
  };

  const add = (files: Iterable<File>) => {
    setError(null);
    let room = MAX_IMAGES - images.length - uploading;
    for (const file of files) {
      if (!IMAGE_TYPES.includes(file.type)) {
        setError(refusal(`“${file.name}” is no picture that can be sent.`, "Use a PNG, JPEG or WebP picture."));
      } else if (file.size > MOST_IMAGE_BYTES) {
        setError(refusal(`“${file.name}” is larger than 10 MB.`, "Make it smaller, or send a part of it."));
      } else if (room <= 0) {
        setError(refusal(`A prompt takes ${MAX_IMAGES} pictures.`, "Remove one first."));
      } else {
        room -= 1;
        void upload(file);
      }
    }
  };

  return {
    uploading,
    error,
    add,
    remove: (id) => change((before) => before.filter((one) => one.id !== id)),
    onPaste: (event) => {
      const files = [...event.clipboardData.files];
      if (files.length === 0) return;
      event.preventDefault();
      add(files);
    },
    onDrop: (event) => {
      if (event.dataTransfer.files.length === 0) return;
      event.preventDefault();
      add(event.dataTransfer.files);
    },
  };
}

export function AddPictureButton({ attachments }: { attachments: Attachments }) {
  const field = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={field}
        type="file"
        accept={IMAGE_TYPES.join(",")}
        multiple
        hidden
        onChange={(event) => {
          attachments.add(event.target.files ?? []);
          event.target.value = "";
        }}
      />
      <IconButton label="Add a picture (or paste one)" onClick={() => field.current?.click()}>
        <ImagePlus size={18} aria-hidden />
      </IconButton>
    </>
  );
}

/** The pictures that go with the prompt, and what went wrong with one. */
export function PictureRow({ images, attachments }: { images: ImageRef[]; attachments: Attachments }) {
  return (
    <>
      {(images.length > 0 || attachments.uploading > 0) && (
        <ul className="prompt-pictures" aria-label="Pictures of the prompt">
          {images.map((image, index) => (
            <Picture key={image.id} image={image} number={index + 1} remove={() => attachments.remove(image.id)} />
          ))}
          {attachments.uploading > 0 && (
            <li className="prompt-picture prompt-picture--blank">
              <LoaderCircle size={18} className="spin" aria-hidden />
              <span className="visually-hidden">Uploading a picture</span>
            </li>
          )}
        </ul>
      )}
      {attachments.error ? <ProblemNote error={attachments.error} /> : null}
    </>
  );
}

function Picture({ image, number, remove }: { image: ImageRef; number: number; remove: () => void }) {
  const [gone, setGone] = useState(false);
  // A picture of a draft from another day is no longer kept by the service.
  useEffect(() => {
    if (gone) remove();
  }, [gone, remove]);
  return (
    <li className="prompt-picture">
      <img src={imageUrl(image.id)} alt={`Number ${number}, ${image.width} × ${image.height}`} onError={() => setGone(true)} />
      <button type="button" aria-label={`Remove picture ${number}`} onClick={remove}>
        <X size={14} aria-hidden />
      </button>
    </li>
  );
}
