// The small parts that every page uses.

import { CircleAlert } from "lucide-react";
import { Tooltip as RadixTooltip } from "radix-ui";
import type { ButtonHTMLAttributes, ReactElement, ReactNode } from "react";
import { asProblem } from "../api/client";
import type { Tone } from "../words";
import "./ui.css";

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: "primary" | "plain" | "framed";
  small?: boolean;
}

export function buttonClass(look: ButtonProps["look"] = "framed", small = false, icon = false): string {
  return ["button", look !== "framed" && `button--${look}`, small && "button--small", icon && "button--icon"]
    .filter(Boolean)
    .join(" ");
}

export function Button({ look, small, className = "", type = "button", ...rest }: ButtonProps) {
  return <button type={type} className={`${buttonClass(look, small)} ${className}`} {...rest} />;
}

/** A button that is only a picture: its label is read out and shown on hover. */
export function IconButton({ label, small, ...rest }: ButtonProps & { label: string }) {
  return (
    <Tooltip text={label}>
      <button type="button" className={buttonClass("plain", small, true)} aria-label={label} {...rest} />
    </Tooltip>
  );
}

export function Tooltip({ text, children }: { text: ReactNode; children: ReactElement }) {
  return (
    <RadixTooltip.Root>
      <RadixTooltip.Trigger asChild>{children}</RadixTooltip.Trigger>
      <RadixTooltip.Portal>
        <RadixTooltip.Content className="tooltip" sideOffset={6} collisionPadding={8}>
          {text}
        </RadixTooltip.Content>
      </RadixTooltip.Portal>
    </RadixTooltip.Root>
  );
}

export function Pill({ tone, dot = false, children }: { tone: Tone | "info"; dot?: boolean; children: ReactNode }) {
  return (
    <span className={`pill pill--${tone}`}>
      {dot && <i aria-hidden />}
      {children}
    </span>
  );
}

export function Stitch({ moving = true }: { moving?: boolean }) {
  return <div className="stitch" data-moving={moving} aria-hidden />;
}

export function LogoMark({ size = 26 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden>
      <rect className="logo-mark" width="32" height="32" rx="8" />
      <g stroke="#f0a05a" strokeWidth="3.2" strokeLinecap="round">
        <path d="M8 20.5l4-9" />
        <path d="M14 20.5l4-9" />
        <path d="M20 20.5l4-9" />
      </g>
    </svg>
  );
}

/** What went wrong and what to do about it. */
export function ProblemNote({ error, action }: { error: unknown; action?: ReactNode }) {
  const problem = asProblem(error);
  return (
    <div className="problem" role="alert">
      <CircleAlert size={17} aria-hidden />
      <div>
        <p>
          <strong>{problem.message}</strong>
        </p>
        {problem.nextAction && <p>{problem.nextAction}</p>}
        {problem.requestId && <small>Request {problem.requestId}</small>}
      </div>
      {action}
    </div>
  );
}

interface EmptyProps {
  icon?: ReactNode;
  title: string;
  children?: ReactNode;
  working?: boolean;
  /** Whether this is all there is on the page. */
  page?: boolean;
}

/** What stands where there is nothing yet, and what to do about it. */
export function Empty(props: EmptyProps) {
  const Title = props.page ? "h1" : "h3";
  return (
    <div className="empty">
      {props.icon}
      {props.working && <Stitch />}
      <Title>{props.title}</Title>
      {props.children}
    </div>
  );
}
