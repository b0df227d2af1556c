// The pages beside the sessions, as the navigation and the command palette name them.

import { Boxes, ChartColumn, CircleUserRound, Gauge, LayoutGrid, type LucideIcon } from "lucide-react";
import type { Me } from "../api/account";

export interface Place {
  path: string;
  name: string;
  /** What the palette says. */
  long: string;
  icon: LucideIcon;
}

const everybody: Place[] = [
  { path: "/", name: "Apps", long: "Your apps, and a new one", icon: LayoutGrid },
  { path: "/models", name: "Models", long: "Models and keys", icon: Boxes },
  { path: "/usage", name: "Usage", long: "Usage and budgets", icon: ChartColumn },
  { path: "/account", name: "Account", long: "Account, devices and API keys", icon: CircleUserRound },
];
const operators: Place[] = [{ path: "/operators", name: "Operators", long: "Operators' page", icon: Gauge }];

export const placesFor = (me: Me | undefined): Place[] =>
  me?.role === "operator" ? [...everybody, ...operators] : everybody;
