export const providerNames: Record<string, string> = { github: "GitHub", google: "Google", password: "password" };
