// Runs inside a preview that a session's page shows in a frame: tells that page what the console says and which element
// its user picked. It listens to and speaks with the origins below only.
(() => {
  const parents = 'PARENTS'
  if (window.parent === window) return

  const MOST_LINES_A_SECOND = 100
  const MOST_TEXT = 2000
  const MOST_WAITING = 200
  let origin = parents.includes(location.ancestorOrigins?.[0]) ? location.ancestorOrigins[0] : null
  let waiting = []

  const send = (message) => {
    if (origin !== null) window.parent.postMessage(message, origin)
    else if (waiting.length < MOST_WAITING) waiting.push(message)
  }

  // The console ------------------------------------------------------------------------------------------------------

  let second = 0
  let lines = 0
  const tell = (level, text) => {
    const now = Math.floor(performance.now() / 1000)
    if (now !== second) [second, lines] = [now, 0]
    lines += 1
    if (lines > MOST_LINES_A_SECOND) return
    send({ stich: 'console', level, text: lines === MOST_LINES_A_SECOND ? '… more lines in this second' : text.slice(0, MOST_TEXT) })
  }
  const show = (value) => {
    if (typeof value === 'string') return value
    if (value instanceof Error) return value.stack ?? String(value)
    if (value instanceof Element) return `<${value.localName}>`
    try {
      return (typeof value === 'object' && value !== null ? JSON.stringify(value) : undefined) ?? String(value)
    } catch {
      return Object.prototype.toString.call(value)
    }
  }
  for (const level of ['log', 'info', 'warn', 'error']) {
    const plain = console[level]
    console[level] = function (...values) {
      plain.apply(console, values)
      tell(level, values.map(show).join(' '))
    }
  }
  window.addEventListener('error', (event) => {
    if (event.message) tell('error', event.error?.stack ?? `${event.message} (${event.filename}:${event.lineno})`)
  })
  window.addEventListener('unhandledrejection', (event) => tell('error', `Unhandled rejection: ${show(event.reason)}`))

  // Picking ----------------------------------------------------------------------------------------------------------

  const box = document.createElement('div')
  Object.assign(box.style, {
    position: 'fixed',
    zIndex: '2147483647',
    display: 'none',
    border: '2px solid #d9731f',
    borderRadius: '4px',
    background: 'rgb(217 115 31 / 0.14)',
    pointerEvents: 'none',
  })
  let picking = false
  let target = null

  const placed = (element) => element?.closest?.('[data-stich-source]') ?? element
  const mark = (element) => {
    target = element instanceof Element && element !== document.documentElement ? placed(element) : null
    const rect = target?.getBoundingClientRect()
    box.style.display = rect ? 'block' : 'none'
    if (rect) {
      Object.assign(box.style, { left: `${rect.left}px`, top: `${rect.top}px`, width: `${rect.width}px`, height: `${rect.height}px` })
    }
  }
  const begins = (element) => {
    const copy = element.cloneNode(false)
    copy.removeAttribute('data-stich-source')
    const classes = copy.getAttribute('class') ?? ''
    if (classes.length > 60) copy.setAttribute('class', `${classes.slice(0, 60)}…`)
    const text = (element.textContent ?? '').trim().replace(/\s+/g, ' ')
    copy.textContent = text.length > 80 ? `${text.slice(0, 80)}…` : text
    return copy.outerHTML.slice(0, 600)
  }
  const pick = (element) => {
    const found = placed(element)
    setPicking(false)
    if (found) send({ stich: 'picked', source: found.getAttribute('data-stich-source'), html: begins(found) })
    else send({ stich: 'left' })
  }
  const swallow = (event) => {
    event.preventDefault()
    event.stopImmediatePropagation()
  }
  const onMove = (event) => mark(event.composedPath()[0])
  const onFocus = (event) => mark(event.target)
  const onClick = (event) => {
    swallow(event)
    const element = event.composedPath()[0]
    pick(element instanceof Element ? element : null)
  }
  const onKey = (event) => {
    if (event.key === 'Escape') {
      swallow(event)
      setPicking(false)
      send({ stich: 'left' })
    } else if (event.key === 'Enter' && target) {
      swallow(event)
      pick(target)
    }
  }
  const listeners = [
    ['mousemove', onMove],
    ['focusin', onFocus],
    ['click', onClick],
    ['keydown', onKey],
    ...['pointerdown', 'pointerup', 'mousedown', 'mouseup', 'submit'].map((name) => [name, swallow]),
  ]
  function setPicking(on) {
    if (on === picking) return
    picking = on
    for (const [name, listener] of listeners) {
      if (on) window.addEventListener(name, listener, true)
      else window.removeEventListener(name, listener, true)
    }
    if (on) document.documentElement.append(box)
    else {
      box.remove()
      mark(null)
    }
  }

  window.addEventListener('message', (event) => {
    if (event.source !== window.parent || !parents.includes(event.origin)) return
    if (event.data?.stich === 'hello' && origin === null) {
      origin = event.origin
      send({ stich: 'hello' })
      for (const message of waiting.splice(0)) send(message)
    } else if (event.data?.stich === 'pick') setPicking(event.data.on === true)
  })
  if (origin !== null) send({ stich: 'hello' })
})()
