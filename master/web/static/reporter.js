// What makes the pages better where there are scripts. Each of them works without: they are complete when they arrive,
// and every link and button does what it says.

document.documentElement.classList.add('scripted')

const main = document.querySelector('main')
const told = document.querySelector('.told')

/** Says something to whoever looks or listens. */
const tell = text => {
  if (told.textContent !== text) told.textContent = text
}

// Times: local in titles, and going on.

const SPANS = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
]

const ago = milliseconds => {
  const seconds = Math.floor(milliseconds / 1000)
  const [unit, name] = SPANS.find(([unit]) => seconds >= unit) ?? [0, '']
  return unit === 0 ? 'now' : `${Math.floor(seconds / unit)} ${name} ago`
}

const two = n => String(n).padStart(2, '0')

const span = seconds => {
  const whole = Math.floor(seconds)
  if (whole < 60) return `${whole}s`
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`
  return `${Math.floor(whole / 3600)}h ${two(Math.floor(whole / 60) % 60)}m`
}

const localise = root => {
  for (const time of root.querySelectorAll('time[datetime]')) {
    const date = new Date(time.dateTime)
    if (time.closest('.log')) time.textContent = date.toLocaleTimeString('sv-SE')
    else time.title = date.toLocaleString()
  }
}

const tick = () => {
  const now = Date.now()
  for (const time of document.querySelectorAll('main time[title]'))
    time.textContent = ago(now - new Date(time.dateTime))
  for (const element of document.querySelectorAll('[data-since]')) {
    element.textContent = span(Math.max(0, now - Number(element.dataset.since)) / 1000)
  }
}

localise(document)
setInterval(tick, 1000)

// Live pages: when the server says that something changed, this page is asked for again, and the parts that differ are
// replaced. What has the focus keeps it.

const address = element =>
  element.id
    ? `#${CSS.escape(element.id)}`
    : element.href
      ? `a[href="${CSS.escape(element.getAttribute('href'))}"]`
      : ''

/** What a part says, but for times, which go on by themselves: what somebody is about to press stays where it is. */
const timeless = part => {
  const copy = part.cloneNode(true)
  for (const time of copy.querySelectorAll('time, [data-since]')) time.replaceChildren()
  for (const progress of copy.querySelectorAll('progress')) progress.removeAttribute('value')
  return copy.innerHTML
}

const replace = (old, fresh) => {
  if (timeless(old) === timeless(fresh)) {
    const [shown, now] = [old, fresh].map(part => part.querySelectorAll('progress'))
    for (const [i, progress] of shown.entries()) progress.value = now[i].value
    return
  }
  const focused = old.contains(document.activeElement) ? address(document.activeElement) : ''
  // Somebody is writing or choosing there, or selecting text: that part waits.
  const busy =
    old.querySelector('input:focus, select:focus') ??
    (!getSelection().isCollapsed && old.contains(getSelection().anchorNode))
  if (busy) return
  old.replaceWith(fresh)
  if (focused) fresh.querySelector(focused)?.focus()
}

/** What a tab shows of a page. */
const retitle = page => {
  document.title = page.title
  const [old, fresh] = [document, page].map(each => each.querySelector('link[rel=icon]'))
  if (old && fresh && old.getAttribute('href') !== fresh.getAttribute('href')) old.replaceWith(fresh)
}

const refresh = async whole => {
  const response = await fetch(location.href, { headers: { Accept: 'text/html' } })
  if (!response.ok) return
  const page = new DOMParser().parseFromString(await response.text(), 'text/html')
  const fresh = page.querySelector('main')
  localise(fresh)
  retitle(page)
  if (whole || !('live' in fresh.dataset)) {
    for (const stream of following.splice(0)) stream.close()
    main.replaceChildren(...fresh.childNodes)
    if (!('live' in fresh.dataset)) delete main.dataset.live
    for (const log of main.querySelectorAll('.log[data-log]')) openLog(log)
    return
  }
  for (const part of fresh.querySelectorAll('[data-part]')) {
    const old = main.querySelector(`[data-part="${part.dataset.part}"]`)
    if (old) replace(old, part)
    else return refresh(true)
  }
}

/** The streams of the logs that are shown. A browser has six connections to a site: a tab that is hidden gives its own back. */
const following = []

document.addEventListener('visibilitychange', () => {
  for (const stream of following) {
    if (document.hidden) stream.close()
    else stream.open()
  }
})

let source
let due = false
let working = false

const work = async () => {
  if (working) return
  working = true
  try {
    while (due) {
      due = false
      await refresh(false)
    }
  } catch {
    // The server is away: the stream comes back when it does, and then we ask again.
  }
  working = false
}

const listen = () => {
  source?.close()
  source = undefined
  if (!main || !('live' in main.dataset) || document.hidden) return
  source = new EventSource('/events')
  let lost = false
  source.addEventListener('change', () => {
    if (!('live' in main.dataset)) source?.close()
    due = true
    void work()
  })
  source.addEventListener('open', () => {
    tell('Live')
    if (!lost) return
    lost = false
    due = true
    void work()
  })
  source.addEventListener('error', () => {
    lost = true
    tell('Connection lost, trying again')
  })
}

document.addEventListener('visibilitychange', () => {
  if (!main || !('live' in main.dataset)) return
  listen()
  if (document.hidden) return
  due = true
  void work()
})
listen()

// Logs: earlier and later lines come as one scrolls, those far away go, and new ones follow.

const KEPT = 4000

/** Takes away the blanks between lines, which would stay when those go. */
const bare = parent => {
  for (const node of [...parent.childNodes]) if (!(node instanceof Element)) node.remove()
}

const parsed = html => {
  const template = document.createElement('template')
  template.innerHTML = html
  bare(template.content)
  localise(template.content)
  return template.content
}

const openLog = log => {
  bare(log)
  const url = new URL(log.dataset.log, location.href)
  const kept = Number(log.dataset.follow) || KEPT
  const query = side => {
    const asked = new URLSearchParams(side)
    if (log.dataset.time) asked.set('time', log.dataset.time)
    return asked
  }
  const atEnd = () => innerHeight + scrollY >= document.documentElement.scrollHeight - 60

  const follow = () => {
    let events
    const stream = {
      open: () => (events = connect()),
      close: () => events?.close(),
    }
    const connect = () => {
      const events = new EventSource(`${url.pathname}/events?${query({ from: log.dataset.to })}`)
      events.addEventListener('lines', event => {
        const stay = kept < KEPT || atEnd()
        log.append(parsed(JSON.parse(event.data)))
        log.dataset.to = event.lastEventId
        while (log.children.length > kept) {
          log.firstElementChild.remove()
          log.dataset.first = ''
        }
        if (stay && kept === KEPT) scrollTo({ top: document.documentElement.scrollHeight })
      })
      events.addEventListener('end', () => {
        events.close()
        following.splice(following.indexOf(stream), 1)
        document.querySelector('[data-following]')?.remove()
        tell('The step is over')
        // The page of a log keeps its lines; on another one the next step may follow.
        void (log.dataset.follow === 'all' ? goOn() : refresh(true))
      })
      return events
    }
    following.push(stream)
    if (!document.hidden) stream.open()
  }

  /** Goes on with the step that runs now, where somebody reads along; else shows the way there. */
  const goOn = async () => {
    for (let tries = 0; tries < 60; tries++) {
      await refreshAround()
      const { go, over } = main.querySelector('[aria-label="Other logs"]').dataset
      if (go && atEnd() && !document.hidden && getSelection().isCollapsed) return location.assign(go)
      if (go || over !== undefined) return
      await new Promise(done => setTimeout(done, 500))
    }
  }

  /** Renews what stands above and below the lines. */
  const refreshAround = async () => {
    const response = await fetch(location.href, { headers: { Accept: 'text/html' } })
    const page = new DOMParser().parseFromString(await response.text(), 'text/html')
    for (const part of ['.head', '.tabs', '[aria-label="Other logs"]']) {
      const [old, fresh] = [main.querySelector(part), page.querySelector(`main ${part}`)]
      if (old && fresh) replace(old, fresh)
    }
    retitle(page)
  }

  if (log.dataset.follow && log.dataset.last) follow()
  scrolling(log, url, query)
}

/** Changes something, and keeps a line where it was on the screen. */
const steady = (line, change) => {
  const before = line?.getBoundingClientRect().top
  change()
  if (line?.isConnected) scrollBy(0, line.getBoundingClientRect().top - before)
}

const scrolling = (log, url, query) => {
  const windows = [{ from: log.dataset.from, to: log.dataset.to, lines: [...log.children] }]
  const link = side => document.querySelector(`[data-more="${side}"]`)

  const load = async side => {
    const more = link(side)
    if (!more || more.dataset.loading) return
    more.dataset.loading = '1'
    try {
      const asked = query(side === 'before' ? { to: windows[0].from } : { from: windows.at(-1).to })
      const { html, from, to, first, last } = await (await fetch(`${url.pathname}/lines?${asked}`)).json()
      const content = parsed(html)
      const lines = [...content.children]
      if (side === 'before') {
        steady(windows[0].lines[0], () => log.prepend(content))
        windows.unshift({ from, to, lines })
        if (first) more.hidden = true
        forget(windows.length > 4 ? windows.pop() : undefined, 'behind')
      } else {
        log.append(content)
        windows.push({ from, to, lines })
        if (last) more.hidden = true
        const gone = windows.length > 4 ? windows.shift() : undefined
        forget(gone, 'before')
      }
    } finally {
      delete more.dataset.loading
      // It is told anew whether it is in sight: it may have come back before anybody noticed that it had gone.
      watcher.unobserve(more)
      watcher.observe(more)
    }
  }

  /** Takes a far window away, so that the page stays as small as it was; the link to it is there again. */
  const forget = (gone, side) => {
    if (!gone) return
    steady(windows[0].lines[0], () => {
      for (const line of gone.lines) line.remove()
    })
    let more = link(side)
    if (!more) {
      more = document.createElement('p')
      more.className = 'more'
      more.dataset.more = side
      more.append(document.createElement('a'))
      more.firstChild.textContent = side === 'before' ? 'Earlier lines' : 'Later lines'
      if (side === 'before') log.before(more)
      else log.after(more)
      watcher.observe(more)
    }
    more.hidden = false
    const asked = query(side === 'before' ? { to: windows[0].from } : { from: windows.at(-1).to })
    more.firstElementChild.href = `${url.pathname}?${asked}`
  }

  const watcher = new IntersectionObserver(
    entries => {
      for (const entry of entries) if (entry.isIntersecting) void load(entry.target.dataset.more)
    },
    { rootMargin: '600px' },
  )
  for (const side of ['before', 'behind']) {
    const more = link(side)
    if (more) watcher.observe(more)
  }
}

for (const log of document.querySelectorAll('.log[data-log]')) openLog(log)

// A log that runs is read at its end.
if (!location.hash && document.querySelector('.log[data-follow="all"][data-last="1"]')) {
  scrollTo({ top: document.documentElement.scrollHeight })
}

// A link to a line of the same window needs no new page.
document.addEventListener('click', event => {
  const link = event.target instanceof Element && event.target.closest('.log:not(.found) li > a')
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return
  if (new URL(link.href).pathname !== location.pathname) return
  event.preventDefault()
  history.replaceState(null, '', link.href)
  for (const aimed of document.querySelectorAll('.aimed')) aimed.classList.remove('aimed')
  link.parentElement.classList.add('aimed')
})

// Keys, as people of the field expect them. They are off while one writes.

document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.('input, select, textarea')) {
    if (event.key === 'Escape') event.target.blur()
    return
  }
  if (event.key === '/') {
    const find = document.querySelector('[data-find]')
    if (!find) return
    event.preventDefault()
    find.focus()
    find.select()
  }
  if (event.key === 'j' || event.key === 'k') {
    const rows = [...document.querySelectorAll('[data-row]')]
    const at = rows.findIndex(row => row.contains(document.activeElement))
    const next = rows[event.key === 'j' ? at + 1 : at < 0 ? 0 : at - 1]
    next?.querySelector('a')?.focus()
  }
})
