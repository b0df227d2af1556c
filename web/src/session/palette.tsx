// Everything by keyboard: Ctrl+K, type, Enter.

import {
  Code2,
  Download,
  Eye,
  FileCode2,
  Globe,
  History,
  House,
  ListTree,
  MessageSquare,
  Moon,
  Play,
  Square,
  Sun,
  TriangleAlert,
  UserPlus,
} from "lucide-react";
import { Command } from "cmdk";
import { useLocation } from "wouter";
import { exportUrl } from "../api/client";
import { useSession } from "../state/session-context";
import { setTheme, useDark } from "../state/theme";
import { Modal } from "../ui/modal";
import "../ui/palette.css";
import { useRights } from "./access";
import { useSwitch } from "./header";
import { useView, type ViewTab } from "./view";

const tabs: { tab: ViewTab; label: string; keys: string; icon: typeof Eye }[] = [
  { tab: "preview", label: "Show the preview", keys: "Alt 1", icon: Eye },
  { tab: "code", label: "Show the code", keys: "Alt 2", icon: Code2 },
  { tab: "plan", label: "Show the plan", keys: "Alt 3", icon: ListTree },
  { tab: "problems", label: "Show the problems", keys: "Alt 4", icon: TriangleAlert },
  { tab: "history", label: "Show the history", keys: "Alt 5", icon: History },
];

export default function Palette({ close }: { close: () => void }) {
  const id = useSession((session) => session.progress.session_id);
  const files = useSession((session) => session.progress.files);
  const { setTab, openFile, setSheet } = useView();
  const { may } = useRights();
  const { stop, resume, canStop, canResume } = useSwitch();
  const [, navigate] = useLocation();
  const dark = useDark();

  const run = (action: () => void) => () => {
    close();
    action();
  };

  return (
    <Modal className="palette-box" label="Commands" close={close}>
      <Command label="Commands" loop>
        <Command.Input data-first placeholder="Command or file name" aria-label="Command or file name" />
        <Command.List>
          <Command.Empty>Nothing of that name.</Command.Empty>
          <Command.Group heading="Session">
            {canStop && (
              <Command.Item onSelect={run(() => stop.mutate())}>
                <Square size={16} aria-hidden /> Stop
              </Command.Item>
            )}
            {canResume && (
              <Command.Item onSelect={run(() => resume.mutate())}>
                <Play size={16} aria-hidden /> Resume
              </Command.Item>
            )}
            <Command.Item onSelect={run(() => requestAnimationFrame(() => document.getElementById("message")?.focus()))}>
              <MessageSquare size={16} aria-hidden /> Write a message <kbd className="kbd">Alt M</kbd>
            </Command.Item>
            <Command.Item onSelect={run(() => window.location.assign(exportUrl(id)))}>
              <Download size={16} aria-hidden /> Download zip
            </Command.Item>
            {may("own") && (
              <>
                <Command.Item onSelect={run(() => setSheet("publish"))}>
                  <Globe size={16} aria-hidden /> Publish
                </Command.Item>
                <Command.Item onSelect={run(() => setSheet("share"))}>
                  <UserPlus size={16} aria-hidden /> Share
                </Command.Item>
              </>
            )}
          </Command.Group>
          <Command.Group heading="Show">
            {tabs.map(({ tab, label, keys, icon: Icon }) => (
              <Command.Item key={tab} onSelect={run(() => setTab(tab))}>
                <Icon size={16} aria-hidden /> {label} <kbd className="kbd">{keys}</kbd>
              </Command.Item>
            ))}
          </Command.Group>
          <Command.Group heading="Page">
            <Command.Item onSelect={run(() => navigate("/"))}>
              <House size={16} aria-hidden /> Start page
            </Command.Item>
            <Command.Item onSelect={run(() => setTheme(dark ? "light" : "dark"))}>
              {dark ? <Sun size={16} aria-hidden /> : <Moon size={16} aria-hidden />} {dark ? "Light theme" : "Dark theme"}
            </Command.Item>
          </Command.Group>
          {files.length > 0 && (
            <Command.Group heading="Files">
              {files.map((file) => (
                <Command.Item key={file.path} value={`file ${file.path}`} onSelect={run(() => openFile(file.path))}>
                  <FileCode2 size={16} aria-hidden /> {file.path}
                </Command.Item>
              ))}
            </Command.Group>
          )}
        </Command.List>
      </Command>
    </Modal>
  );
}
