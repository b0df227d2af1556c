// The one Vite configuration: for the development server, the build and the pre-bundling of dependencies.
// The project's own vite.config.ts is for people who take the project home; it is never executed here.
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

export const root = process.env.STICH_WORKSPACE ?? '/workspace'
const require = createRequire(path.join(root, 'package.json'))
const load = async (name) => import(pathToFileURL(require.resolve(name)).href)

export const vite = await load('vite')
const { default: react } = await load('@vitejs/plugin-react')
const { default: tailwindcss } = await load('@tailwindcss/vite')

// Entry points of the installed libraries that are bundled once per machine, not once per session.
const subpaths = {
  react: ['react', 'react/jsx-runtime', 'react/jsx-dev-runtime'],
  'react-dom': ['react-dom', 'react-dom/client'],
  zustand: ['zustand', 'zustand/middleware', 'zustand/react/shallow'],
}
const left = new Set(['react-is'])

function included() {
  const libraries = (process.env.STICH_LIBRARIES ?? '').split(',').filter(Boolean)
  return libraries.filter((name) => !left.has(name)).flatMap((name) => subpaths[name] ?? [name])
}

export function configuration(extra) {
  return {
    configFile: false,
    root,
    appType: 'spa',
    cacheDir: path.join(root, '.cache/vite'),
    logLevel: 'warn',
    clearScreen: false,
    plugins: [react(), tailwindcss()],
    resolve: { alias: { '@': path.join(root, 'src') } },
    optimizeDeps: { include: included() },
    ...extra,
  }
}

// When each file was last changed, as of the transform that read it.
export const seen = new Map()
export const changed = (file) => fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs
const noting = {
  name: 'stich:noting',
  enforce: 'pre',
  transform(_, id) {
    const [file] = id.split('?')
    if (path.isAbsolute(file)) seen.set(file, changed(file))
  },
}

// Elements carry the place of their source, so that people can point at them. The JSX runtime of development is told of it
// by the compiler and drops it; a runtime around it keeps it as an attribute of the elements of the page.
const AROUND = 'virtual:stich-jsx'
const locating = {
  name: 'stich:locating',
  enforce: 'post',
  resolveId(id) {
    return id === AROUND ? `\0${AROUND}` : undefined
  },
  load(id) {
    if (id !== `\0${AROUND}`) return undefined
    return `
      import { Fragment, jsxDEV as plain } from 'react/jsx-dev-runtime'
      const root = ${JSON.stringify(root + '/')}
      export { Fragment }
      export function jsxDEV(type, props, key, several, source, self) {
        if (typeof type === 'string' && source?.fileName.startsWith(root) && !('data-stich-source' in props)) {
          const place = source.fileName.slice(root.length) + ':' + source.lineNumber + ':' + source.columnNumber
          props = { ...props, 'data-stich-source': place }
        }
        return plain(type, props, key, several, source, self)
      }
    `
  },
  transform(code, id) {
    const [file] = id.split('?')
    if (!/\.[jt]sx$/.test(file) || !file.startsWith(path.join(root, 'src/'))) return undefined
    const changed = code.replace(/(from\s*["'])react\/jsx-dev-runtime(["'])/, `$1${AROUND}$2`)
    return changed === code ? undefined : { code: changed, map: null }
  },
}

// The development server's configuration. The libraries bundled once per machine are used only where it is the same to
// the last plugin, so both take it from here.
export function developing(listener) {
  return configuration({
    plugins: [noting, react(), tailwindcss(), locating],
    server: {
      middlewareMode: true,
      allowedHosts: true,
      cors: false,
      hmr: listener ? { server: listener } : {},
      forwardConsole: { unhandledErrors: true, logLevels: ['error', 'warn'] },
      fs: { strict: true, allow: [root] },
      watch: { ignored: ['**/.cache/**', '**/dist/**'] },
    },
  })
}
