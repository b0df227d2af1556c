import { Sparkles } from 'lucide-react'

export default function App() {
  return (
    <main className="grid min-h-dvh place-items-center p-6">
      <div className="flex max-w-md flex-col items-center gap-4 text-center">
        <span className="rounded-2xl bg-brand-600 p-3 text-white shadow-lg shadow-brand-600/25">
          <Sparkles className="size-6" aria-hidden />
        </span>
        <h1 className="text-2xl font-semibold tracking-tight">Your app starts here</h1>
        <p className="text-balance text-slate-600 dark:text-slate-400">
          This is the empty project. Its first screen will appear here as soon as it is written.
        </p>
      </div>
    </main>
  )
}
