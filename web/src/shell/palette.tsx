// Ctrl+K outside of a session: go to a page, a section or a session.

import { useQuery } from "@tanstack/react-query";
import { Command } from "cmdk";
import { AppWindow, Hash, LogOut, Moon, Sun } from "lucide-react";
import { useLocation } from "wouter";
import type { Me } from "../api/account";
import { listSessions } from "../api/client";
import { setTheme, useDark } from "../state/theme";
import { Modal } from "../ui/modal";
import "../ui/palette.css";
import { useAuth, useSignOut } from "./me";
import { placesFor } from "./places";

const sections: { label: string; path: string }[] = [
  { label: "Add a provider key", path: "/models#keys" },
  { label: "Model per action", path: "/models#actions" },
  { label: "Your own servers", path: "/models#servers" },
  { label: "Catalogue of models and prices", path: "/models#catalogue" },
  { label: "Budgets", path: "/usage#budgets" },
  { label: "API keys", path: "/account#api-keys" },
  { label: "Notifications", path: "/account#notifications" },
  { label: "Download your data, delete the account", path: "/account#data" },
  { label: "Signed-in devices", path: "/account#devices" },
  { label: "Shared with you", path: "/account#shared" },
];

export default function Palette({ close, me }: { close: () => void; me: Me | undefined }) {
  const [, navigate] = useLocation();
  const dark = useDark();
  const auth = useAuth();
  const signOut = useSignOut();
  const sessions = useQuery({ queryKey: ["sessions", "palette"], queryFn: () => listSessions() });
  const run = (action: () => void) => () => {
    close();
    action();
  };
  const goTo = (path: string) => {
    navigate(path);
    document.getElementById(path.split("#")[1] ?? "")?.scrollIntoView();
  };
  return (
    <Modal className="palette-box" label="Commands" close={close}>
      <Command label="Commands" loop>
        <Command.Input data-first placeholder="Page, setting or app" aria-label="Page, setting or app" />
        <Command.List>
          <Command.Empty>Nothing of that name.</Command.Empty>
          <Command.Group heading="Pages">
            {placesFor(me).map(({ path, long, icon: Icon }) => (
              <Command.Item key={path} onSelect={run(() => navigate(path))}>
                <Icon size={16} aria-hidden /> {long}
              </Command.Item>
            ))}
          </Command.Group>
          <Command.Group heading="Settings">
            {sections.map(({ label, path }) => (
              <Command.Item key={path} onSelect={run(() => goTo(path))}>
                <Hash size={16} aria-hidden /> {label}
              </Command.Item>
            ))}
            <Command.Item onSelect={run(() => setTheme(dark ? "light" : "dark"))}>
              {dark ? <Sun size={16} aria-hidden /> : <Moon size={16} aria-hidden />} {dark ? "Light theme" : "Dark theme"}
            </Command.Item>
            {auth?.mode === "accounts" && (
              <Command.Item onSelect={run(() => void signOut())}>
                <LogOut size={16} aria-hidden /> Sign out
              </Command.Item>
            )}
          </Command.Group>
          {sessions.data && sessions.data.sessions.length > 0 && (
            <Command.Group heading="Apps">
              {sessions.data.sessions.map((session) => (
                <Command.Item key={session.id} value={`${session.title} ${session.id}`} onSelect={run(() => navigate(`/s/${session.id}`))}>
                  <AppWindow size={16} aria-hidden /> {session.title || session.prompt}
                </Command.Item>
              ))}
            </Command.Group>
          )}
        </Command.List>
      </Command>
    </Modal>
  );
}
