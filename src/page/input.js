// Mouse, touch, wheel and keyboard to movements of the camera.

const TURN_A_SIDE = Math.PI; // radians for a drag over the shorter side
const KEY_STEP = 5 * DEGREE;
const MOVE_STEP = 0.05; // of the shorter side
const ZOOM_STEP = 1.1;

// `changed` is called after each movement.
function listenToPointers(canvas, camera, changed) {
    const pointers = new Map(); // those that are down
    const middle = () => {
        const all = [...pointers.values()];
        const [first, last] = [all[0], all[all.length - 1]];
        return {
            x: (first.x + last.x) / 2,
            y: (first.y + last.y) / 2,
            apart: Math.hypot(first.x - last.x, first.y - last.y),
        };
    };
    canvas.addEventListener("pointerdown", (event) => {
        canvas.setPointerCapture(event.pointerId);
        pointers.set(event.pointerId, {x: event.clientX, y: event.clientY});
        canvas.focus({preventScroll: true});
    });
    canvas.addEventListener("pointermove", (event) => {
        const pointer = pointers.get(event.pointerId);
        if (!pointer)
            return;
        const before = middle(), side = Math.min(canvas.clientWidth, canvas.clientHeight);
        pointer.x = event.clientX;
        pointer.y = event.clientY;
        const after = middle();
        const right = (after.x - before.x) / side, down = (after.y - before.y) / side;
        const moves = pointers.size > 1 || event.shiftKey || event.buttons & 6;
        if (moves)
            camera.move(right, down);
        else
            camera.turn(TURN_A_SIDE * right, TURN_A_SIDE * down);
        if (before.apart > 0 && after.apart > 0)
            camera.zoom(before.apart / after.apart);
        changed();
    });
    for (const name of ["pointerup", "pointercancel"])
        canvas.addEventListener(name, (event) => pointers.delete(event.pointerId));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => {
        event.preventDefault();
        // Firefox counts lines, Chromium pixels.
        const lines = event.deltaMode ? event.deltaY : event.deltaY / 40;
        camera.zoom(ZOOM_STEP ** Math.min(Math.max(lines, -5), 5));
        changed();
    }, {passive: false});
}

// `keys` has what other keys do, by their names.
function listenToKeys(camera, changed, keys) {
    const arrows = {
        ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
    };
    const own = {
        "+": () => camera.zoom(1 / ZOOM_STEP),
        "=": () => camera.zoom(1 / ZOOM_STEP),
        "-": () => camera.zoom(ZOOM_STEP),
        "0": () => camera.reset(),
        Home: () => camera.reset(),
        ...keys,
    };
    window.addEventListener("keydown", (event) => {
        const onButton = event.target instanceof HTMLButtonElement;
        if (event.ctrlKey || event.altKey || event.metaKey || (onButton && event.key === " "))
            return;
        if (arrows[event.key]) {
            const [right, down] = arrows[event.key];
            if (event.shiftKey)
                camera.move(MOVE_STEP * right, MOVE_STEP * down);
            else
                camera.turn(KEY_STEP * right, KEY_STEP * down);
        } else if (own[event.key]) {
            own[event.key]();
        } else {
            return;
        }
        event.preventDefault();
        changed();
    });
}
