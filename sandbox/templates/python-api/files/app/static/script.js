const response = await fetch('/api/greeting')
const greeting = await response.json()
document.querySelector('#greeting').textContent = greeting.text
