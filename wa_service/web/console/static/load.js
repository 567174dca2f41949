// Load a page; with `body` by POST. Resolve with the request, reject with the status, 0 if there is no response.
// The browser parses the response itself (responseType "document"), so no trusted types policy is needed.
export const load = (address, body) =>
  new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open(body ? "POST" : "GET", address);
    request.responseType = "document";
    request.onload = () => (request.status === 200 && request.response ? done(request) : failed(request.status));
    request.onerror = () => failed(0);
    request.send(body);
  });
