// A classic script in the head: it sets the chosen theme before the first paint.
document.documentElement.dataset.theme = localStorage.getItem("phone.theme") ?? "auto";
