"""commerce/trackPurchase and commerce/updateCart: both make or change the user, and the cart (api.md 6.2)."""

from starlette.responses import Response

from iterable_pipelines.sandbox.identify import Row
from iterable_pipelines.sandbox.profiles import Fields
from iterable_pipelines.sandbox.schema import Examination
from iterable_pipelines.sandbox.writing.call import Call, success
from iterable_pipelines.sandbox.writing.events import Events, check_ids
from iterable_pipelines.sandbox.writing.users import Change, Users

CART = "shoppingCartItems"


class Commerce:
    """Purchases and carts."""

    def __init__(self, users: Users, events: Events):
        self.users, self.events, self.world = users, events, users.world

    def track_purchase(self, call: Call) -> Response:
        """POST commerce/trackPurchase: the same id replaces; makes the user if unknown and empties the cart."""
        asked, world = call.asked, self.world
        check_ids([asked])
        looked = Examination()
        fields = looked.look(self.events.schema("purchase", "purchase"), asked.get("dataFields") or {}, True).fields
        looked.finish()
        purchase_id = asked.get("id") or world.written.new_id()
        is_dropped = call.is_dropped(world, asked["user"], purchase_id)
        if not is_dropped:
            self._cart(Call(call.path, asked), [])
            row = asked | {key: asked["user"].get(key) for key in ("email", "userId")} | {"id": purchase_id}
            own = {"eventName": "purchase", "total": asked["total"], CART: asked["items"]}
            world.submit("single", lambda: self.events.record("purchase", row, own | fields))
        return success("", {"id": purchase_id})

    def update_cart(self, call: Call) -> Response:
        """POST commerce/updateCart: what is asked replaces the whole cart."""
        self._cart(call, call.asked["items"])
        return success()

    def _cart(self, call: Call, items: list[Row]) -> None:
        def cart(row: Row, before: Fields) -> Fields:
            return {CART: items}

        user = call.asked["user"]
        self.users.write(call, "single", [user], user.get("createNewFields"), Change(cart)).raise_single()
